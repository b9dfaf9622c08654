"""Every metric of the project, by name, in one place."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


class Metrics:
    """The metrics of one process. Each process, and each test, makes its own.

    Attributes:
        registry: What `/metrics` shows.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        for add in (
            self._add_inference,
            self._add_loop,
            self._add_windows,
            self._add_forecasts,
            self._add_models,
            self._add_result_cache,
            self._add_view,
            self._add_aggregates,
            self._add_quality,
            self._add_cameras,
            self._add_sensors,
        ):
            add(self.registry)

    def _add_inference(self, r: CollectorRegistry) -> None:
        # The first three names are given by the dashboards users already have.
        self.inference_requests = Counter(
            "inference_requests_total",
            "Inferences by model and status (ok, error)",
            ["model_name", "status"],
            registry=r,
        )
        self.inference_duration = Histogram(
            "inference_duration_seconds", "Time of a model call", ["model_name"], buckets=_SECONDS, registry=r
        )
        self.gpu_memory = Gauge("gpu_memory_usage_bytes", "Memory held on the accelerator", registry=r)

    def _add_loop(self, r: CollectorRegistry) -> None:
        self.outcomes = Counter("vss_outcomes_total", "Outcomes of records by kind", ["step", "kind"], registry=r)
        self.dead_letters = Counter("vss_dead_letters_total", "Dead letters by reason", ["step", "reason"], registry=r)
        self.shed = Counter("vss_shed_total", "Records left out on purpose, by reason", ["step", "reason"], registry=r)
        self.errors = Counter("vss_errors_total", "Errors by class and what followed", ["error", "action"], registry=r)
        self.batch_size = Histogram("vss_batch_size", "Records in a micro-batch", ["step"], buckets=_ITEMS, registry=r)
        self.queue_depth = Gauge("vss_queue_depth", "Micro-batches under way (limited)", ["step"], registry=r)
        self.frame_age = Histogram(
            "vss_frame_age_seconds",
            "Age of a frame or reading since capture when its outcome is committed",
            ["step"],
            buckets=_SECONDS,
            registry=r,
        )
        self.stage_seconds = Counter("vss_stage_seconds_total", "Time spent by stage", ["step", "stage"], registry=r)
        self.lag = Gauge("vss_lag", "Records between position and end", ["topic", "partition"], registry=r)
        self.assigned_partitions = Gauge("vss_assigned_partitions", "Partitions held", ["step"], registry=r)
        self.rebalances = Counter("vss_rebalances_total", "Rebalances by kind", ["step", "kind"], registry=r)
        self.transaction_seconds = Histogram(
            "vss_transaction_seconds", "Time of a transaction", ["step"], buckets=_SECONDS, registry=r
        )
        self.transactions_aborted = Counter(
            "vss_transactions_aborted_total", "Aborted transactions", ["step"], registry=r
        )

    def _add_windows(self, r: CollectorRegistry) -> None:
        self.window_keys = Gauge("vss_window_keys", "Sensors that windows are held of (limited)", ["step"], registry=r)
        self.window_bytes = Gauge("vss_window_bytes", "Memory that windows hold (limited)", ["step"], registry=r)
        self.window_readings = Counter(
            "vss_window_readings_total",
            "Readings by what became of them (taken, due, late, duplicate, no_room)",
            ["step", "status"],
            registry=r,
        )
        self.window_missing = Counter(
            "vss_window_missing_values_total", "Values that readings lacked", ["step"], registry=r
        )
        self.window_restarts = Counter(
            "vss_window_restarts_total",
            "Windows that started anew (gap) or let go of what lay too far back in the log (reach)",
            ["step", "reason"],
            registry=r,
        )
        self.window_rebuilt = Counter(
            "vss_window_rebuilt_readings_total", "Readings read again to rebuild windows", ["step"], registry=r
        )

    def _add_forecasts(self, r: CollectorRegistry) -> None:
        # Forecasts that have met what came.
        self.forecast_error = Gauge(
            "vss_forecast_error",
            "Mean absolute error of the newest forecasts, in standard deviations of the feature in its window",
            ["model_name", "model_version", "feature", "steps"],
            registry=r,
        )
        self.forecast_coverage = Gauge(
            "vss_forecast_interval_coverage",
            "Share of the newest values that lay within their confidence interval, 0..1",
            ["model_name", "model_version", "feature"],
            registry=r,
        )

    def _add_models(self, r: CollectorRegistry) -> None:
        self.models_loaded = Gauge("vss_models_loaded", "Models in memory (limited)", registry=r)
        self.models_loaded_bytes = Gauge("vss_models_loaded_bytes", "Memory held by them (limited)", registry=r)
        self.model_load_seconds = Histogram(
            "vss_model_load_seconds", "Time to load and warm a model", ["model_name"], buckets=_SECONDS, registry=r
        )
        self.model_loads = Counter(
            "vss_model_loads_total", "Loads by result (ok, retried, failed)", ["model_name", "result"], registry=r
        )
        self.model_downloads = Counter(
            "vss_model_downloads_total",
            "Model files taken from a store that is no folder (cached, fetched, failed)",
            ["result"],
            registry=r,
        )
        self.download_cache_bytes = Gauge(
            "vss_model_download_cache_bytes", "Model files kept on this machine (limited)", registry=r
        )
        self.model_unloads = Counter("vss_model_unloads_total", "Models let go", ["model_name"], registry=r)
        self.model_serving = Gauge(
            "vss_model_serving",
            "Share of keys that a version serves, 0..1",
            ["model_name", "model_version"],
            registry=r,
        )
        self.model_swaps = Counter(
            "vss_model_swaps_total",
            "Changes of the serving version by result (swapped, refused, rolled_back)",
            ["model_name", "result"],
            registry=r,
        )
        self.call_timeouts = Counter(
            "vss_call_timeouts_total", "Model calls that took too long", ["model_name"], registry=r
        )

    def _add_result_cache(self, r: CollectorRegistry) -> None:
        self.result_cache = Counter(
            "vss_result_cache_total", "Frames looked up in the result cache (hit, miss, error)", ["result"], registry=r
        )
        self.result_cache_writes = Counter(
            "vss_result_cache_writes_total",
            "Answers kept in the result cache (written, dropped)",
            ["result"],
            registry=r,
        )

    def _add_view(self, r: CollectorRegistry) -> None:
        self.cache_up = Gauge("vss_cache_up", "1 while Redis answers, 0 while it does not", registry=r)
        self.cache_writes = Counter(
            "vss_cache_writes_total", "Writes to the view (written, stale)", ["result"], registry=r
        )

    def _add_aggregates(self, r: CollectorRegistry) -> None:
        self.aggregate_records = Counter(
            "vss_aggregate_records_total",
            "Records by source and what became of them (taken, partial, late, known, dead_letter)",
            ["source", "result"],
            registry=r,
        )
        self.aggregates = Counter("vss_aggregates_total", "Aggregates published", ["source"], registry=r)

    def _add_quality(self, r: CollectorRegistry) -> None:
        self.quality_events = Counter(
            "vss_quality_events_total",
            "Problems of sources by what is wrong (start, end)",
            ["source", "problem", "state"],
            registry=r,
        )
        self.quality_sources = Gauge("vss_quality_sources", "Sources that are watched (limited)", registry=r)

    def _add_cameras(self, r: CollectorRegistry) -> None:
        self.camera_up = Gauge(
            "vss_camera_up", "1 while the source delivers, 0 while it does not", ["camera"], registry=r
        )
        self.frames_captured = Counter(
            "vss_frames_captured_total", "Frames taken from the source", ["camera"], registry=r
        )
        self.frames_published = Counter("vss_frames_published_total", "Frames written to Kafka", ["camera"], registry=r)
        self.frames_dropped = Counter(
            "vss_frames_dropped_total", "Frames that never reached Kafka, by reason", ["camera", "reason"], registry=r
        )
        self.camera_reconnects = Counter(
            "vss_camera_reconnects_total", "Times a source dropped", ["camera"], registry=r
        )
        self.camera_buffer = Gauge(
            "vss_camera_buffer_frames", "Frames waiting to be published (limited)", ["camera"], registry=r
        )

    def _add_sensors(self, r: CollectorRegistry) -> None:
        self.sensor_up = Gauge(
            "vss_sensor_up", "1 while the source delivers, 0 while it does not", ["sensor"], registry=r
        )
        self.readings_captured = Counter(
            "vss_readings_captured_total", "Readings taken from the source", ["sensor"], registry=r
        )
        self.readings_published = Counter(
            "vss_readings_published_total", "Readings written to Kafka", ["sensor"], registry=r
        )
        self.readings_dropped = Counter(
            "vss_readings_dropped_total",
            "Readings that never reached Kafka, by reason",
            ["sensor", "reason"],
            registry=r,
        )
        self.sensor_reconnects = Counter(
            "vss_sensor_reconnects_total", "Times a source dropped", ["sensor"], registry=r
        )
        self.sensor_buffer = Gauge(
            "vss_sensor_buffer_readings", "Readings waiting to be published (limited)", ["sensor"], registry=r
        )
        self.sensor_gaps = Counter("vss_sensor_gaps_total", "Gaps between readings", ["sensor"], registry=r)
        self.sensor_missing_periods = Counter(
            "vss_sensor_missing_periods_total",
            "Readings that gaps left out, by the period",
            ["sensor"],
            registry=r,
        )
        self.sensor_clock_jumps = Counter(
            "vss_sensor_clock_jumps_total",
            "Jumps of a sensor's clock (forward, backward)",
            ["sensor", "direction"],
            registry=r,
        )
        self.sensor_out_of_order = Counter(
            "vss_sensor_out_of_order_total", "Readings not later than the newest", ["sensor"], registry=r
        )
        self.sensor_register_errors = Counter(
            "vss_sensor_register_errors_total", "Modbus reads answered by an exception", ["sensor"], registry=r
        )
