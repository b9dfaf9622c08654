"""The demo's made-up conveyor: parts, belt, light and camera, and the truth about every part it shows."""
