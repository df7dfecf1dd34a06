"""Which names a new plugin, and a new package with plugins, may have."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec

from cynn import registry
from cynn.components import package_names
from cynn.errors import InvalidParameterError

__all__ = ["as_class", "as_module", "check_package", "check_plugin"]

# Packages that users may have beside a plugin: their names on the package index, or in an import.
_WELL_KNOWN = """
absl accelerate aiohttp airflow altair anndata ansible anyio arrow arviz astropy attr attrs autograd babel
beautifulsoup4 black bokeh boto3 botocore bs4 build catboost celery certifi cffi charset-normalizer chex
cibuildwheel click cloudpickle cntk colorama conda contourpy coverage cryptography cupy cvxpy cycler cython dash
dask datasets dateutil deepspeed diffusers distlib django docutils duckdb einops equinox evaluate fastai
fastapi fastparquet filelock flake8 flask flax fonttools fsspec gensim gevent git gluonts gpytorch gradio greenlet
grpc grpcio gym gymnasium h5py haiku httpx huggingface-hub hydra hypothesis idna imageio imblearn imbalanced-learn
ipykernel ipython ipywidgets isort jax jaxlib jedi jinja2 joblib jsonschema jupyter jupyterlab keras keras-core
kiwisolver kornia lasagne librosa lightgbm lightning lime llvmlite loguru lxml mako mapie markdown markupsafe
matplotlib mkl mlflow mlx mlxtend mpi4py mpmath msgpack mxnet mypy narwhals networkx nltk nose notebook numba
numexpr numpy numpyro nvidia onnx onnxruntime openai opencv opencv-python openpyxl optax optuna orjson packaging
pandas parso pathspec patsy pdm peft pexpect pickleshare pillow pip pipx pkg-resources platformdirs plotly pluggy
poetry polars prometheus-client prophet protobuf psutil psycopg2 py pyarrow pybind11 pycparser pydantic pyflakes
pygments pylint pymc pymongo pyparsing pyro pyro-ppl pyspark pytest pytest-cov python python-dateutil pytorch
pytorch-lightning pytz pywavelets pywin32 pyyaml pyzmq ray regex requests rich ruff s3fs safetensors scikeras
scikit-image scikit-learn scipy seaborn selenium sentencepiece setuptools shap shapely six skimage sklearn skorch
skopt snowballstemmer sonnet spacy sphinx sqlalchemy starlette statsmodels stax sympy tables tabulate tbb
tensorboard tensorboardx tensorflow tensorly tensorrt termcolor tf-keras theano thinc threadpoolctl tiktoken timm
tinygrad tokenizers toml tomli toolz torch torchaudio torchmetrics torchvision tornado tox tqdm traitlets
transformers trax triton trio twine typer typing-extensions tzdata ujson urllib3 uv uvicorn virtualenv wandb
websockets werkzeug wheel wrapt xarray xgboost xlrd yaml yarl yapf zipp zmq
"""
# Names of folders and files beside the package, and names that some systems do not allow.
_RESERVED = """
build conftest dist docs setup src test tests
aux con nul prn com1 com2 com3 com4 com5 com6 com7 com8 com9 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9
"""


def as_module(name: str) -> str:
    """The name of a plugin or of its package as a Python identifier.

    Examples
    --------
    >>> as_module("my-activation")
    'my_activation'
    """
    return name.replace("-", "_")


def as_class(name: str) -> str:
    """The name of the class of a plugin.

    Examples
    --------
    >>> as_class("my-activation")
    'MyActivation'
    """
    return "".join(word.capitalize() for word in as_module(name).split("_"))


def check_plugin(name: str, kind: str) -> None:
    """Raise an InvalidParameterError unless a plugin of a kind may have a name.

    Parameters
    ----------
    name : str
        Lower case words joined by `-` or `_`.
    kind : str
        Such as `"activation"`.
    """
    _check_form(name, "plugin")
    of_kind, module = registry.of_kind(kind), as_module(name)
    if of_kind.has(module):
        providers = " and ".join(of_kind.offers(module)) or "this process"
        raise InvalidParameterError(f"The name must be new. Got {module!r}, which {providers} has.")


def check_package(name: str) -> None:
    """Raise an InvalidParameterError unless a new package may have a name.

    Parameters
    ----------
    name : str
        Lower case words joined by `-` or `_`.
    """
    _check_form(name, "package")
    if (whose := _owner(name)) is not None:
        # installing the new package would overwrite the other, or pip would take one for the other
        raise InvalidParameterError(
            f"The name must be new. Got {name!r}, which is the name of a package that is {whose}."
        )


def _check_form(name: str, of: str) -> None:
    module, made = as_module(name), as_class(name)
    has_form = re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name) and len(name) <= 64
    is_needed = keyword.iskeyword(module) or keyword.iskeyword(made) or registry.is_kind(module)
    if not has_form or is_needed or module in _RESERVED.split():
        raise InvalidParameterError(
            f"The name of a {of} must be lower case words joined by '-', such as my-activation, and none that Python, "
            f"CyNN or a system has a use for itself, such as class, loss or tests. Got {name!r} instead."
        )


def _owner(name: str) -> str | None:
    """Who has that name already, as words for the message; None if nobody has."""
    from importlib.metadata import distributions

    spelled = package_names.canonical(name)
    installed = {package_names.canonical(each.name) for each in distributions() if each.name}
    if package_names.is_ours(name) or spelled in installed or find_spec(as_module(name)):
        return "installed"
    if as_module(name) in sys.stdlib_module_names:
        return "part of Python"
    return "well known" if spelled in _WELL_KNOWN.split() else None
