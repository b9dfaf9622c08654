"""The rolling score on Quix Streams, with its state and exactly once; needs only what setup.sh installs."""

from __future__ import annotations

import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from quixstreams import Application, State

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "telemetry"))
from rolling import Watch, options, take


def main() -> None:
    """Turns all readings into scores."""
    told, watch = options(), Watch()
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=told.servers,
            consumer_group=f"quix-{uuid.uuid4().hex[:12]}",
            auto_offset_reset="earliest",
            processing_guarantee="exactly-once",
            state_dir=folder,
            loglevel="WARNING",
            producer_extra_config={"retry.backoff.ms": 2, "retry.backoff.max.ms": 20},
            on_message_processed=lambda *_: app.stop() if watch.seen >= told.readings else None,
        )
        source = app.topic(told.source, key_deserializer="str", value_deserializer="json")
        target = app.topic(told.target, key_serializer="str", value_serializer="json")

        def score(reading: dict[str, Any], state: State) -> dict[str, Any] | None:
            watch.saw()
            window = state.get("window", [])
            values = reading["values"]
            found = take(window, reading["ts"], values["p"], values["q"])
            state.set("window", window)
            if found is None:
                return None
            return {"sensor_id": reading["sensor_id"], "ts": reading["ts"], "score": found}

        stream = app.dataframe(source).apply(score, stateful=True)
        stream = stream.filter(lambda event: event is not None)
        stream.to_topic(target)
        app.run()
        watch.report()


if __name__ == "__main__":
    main()
