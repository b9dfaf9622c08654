#!/bin/sh
# Makes the environment that predict.py runs in. About 5 GB, for torch comes with CUDA on Linux.
set -eu
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install --quiet --requirement requirements.txt
# Ultralytics asks for the OpenCV with windows, which needs a display's libraries; the other one does the same here.
.venv/bin/pip uninstall --quiet --yes opencv-python opencv-python-headless
.venv/bin/pip install --quiet opencv-python-headless
.venv/bin/python -c "import ultralytics; print('ultralytics', ultralytics.__version__)"
