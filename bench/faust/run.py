"""The rolling score on faust-streaming, at least once, with windows in memory; needs only what setup.sh installs."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import faust
import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "telemetry"))
from rolling import Watch, options, take


def main() -> None:
    """Turns all readings into scores, and ends the process with the last."""
    told, watch = options(), Watch()
    app = faust.App(
        f"faust-{uuid.uuid4().hex[:12]}",
        broker=f"kafka://{told.servers}",
        datadir=tempfile.mkdtemp(),
        store="memory://",
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
    )
    source = app.topic(told.source, value_serializer="raw", key_serializer="raw")
    target = app.topic(told.target, value_serializer="raw", key_serializer="raw")
    windows: dict[str, list[float]] = {}
    sent: list[Any] = []

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def score(stream: Any) -> None:
        async for value in stream:
            seen = watch.saw()
            reading = orjson.loads(value)
            sensor_id, ts_ms, values = reading["sensor_id"], reading["ts"], reading["values"]
            found = take(windows.setdefault(sensor_id, []), ts_ms, values["p"], values["q"])
            if found is not None:
                event = orjson.dumps({"sensor_id": sensor_id, "ts": ts_ms, "score": found})
                sent.append(await target.send(key=sensor_id.encode(), value=event))
            if seen >= told.readings:
                await asyncio.gather(*sent)
                await app.consumer.commit()
                watch.report()
                os._exit(0)

    app.finalize()
    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
