"""Where things are. Importing this module first makes the modules of `models/scenes/training` importable."""
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCENES = HERE.parent.parent / "scenes"
sys.path.append(str(SCENES / "training"))
