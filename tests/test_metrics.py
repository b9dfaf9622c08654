"""The names that dashboards and alerts rely on."""

from __future__ import annotations

from prometheus_client import generate_latest

from vss.metrics import Metrics


def families(metrics: Metrics) -> dict[str, tuple[str, ...]]:
    """Exposed names with their labels."""
    exposed: dict[str, tuple[str, ...]] = {}
    for metric in vars(metrics).values():
        if hasattr(metric, "_labelnames"):
            name = metric.describe()[0]
            exposed[f"{name.name}_total" if name.type == "counter" else name.name] = metric._labelnames
    return exposed


def test_the_given_names_and_labels_are_kept() -> None:
    exposed = families(Metrics())
    assert exposed["inference_requests_total"] == ("model_name", "status")
    assert exposed["inference_duration_seconds"] == ("model_name",)
    assert exposed["gpu_memory_usage_bytes"] == ()


def test_every_other_name_starts_with_the_projects() -> None:
    given = {"inference_requests_total", "inference_duration_seconds", "gpu_memory_usage_bytes"}
    others = families(Metrics()).keys() - given
    assert others >= {"vss_outcomes_total", "vss_dead_letters_total", "vss_lag", "vss_camera_up", "vss_cache_up"}
    assert [name for name in others if not name.startswith("vss_")] == []


def test_every_metric_says_what_it_counts() -> None:
    for metric in vars(Metrics()).values():
        if hasattr(metric, "_labelnames"):
            assert metric.describe()[0].documentation


def test_two_processes_worth_of_metrics_live_side_by_side() -> None:
    one, other = Metrics(), Metrics()
    one.dead_letters.labels(step="detect", reason="UndecodableImage").inc()
    sample = b'vss_dead_letters_total{reason="UndecodableImage",step="detect"} 1.0'
    assert sample in generate_latest(one.registry)
    assert sample not in generate_latest(other.registry)


def test_no_label_holds_what_grows_without_end() -> None:
    endless = {"offset", "event_id", "ce_id", "frame", "message", "traceparent"}
    for name, labels in families(Metrics()).items():
        assert not endless & set(labels), name
