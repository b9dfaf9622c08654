"""Many small readings: what a telemetry worker does a second, beside a bare loop and other stream processors."""
