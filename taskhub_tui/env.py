"""Which variables of an environment a command may inherit. Standard library only."""

import re
from collections.abc import Mapping

# Where things are and how to talk to the person; nothing that is a secret by habit.
_NAMES = frozenset(
    [
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "PATH",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "TERM",
        "COLORTERM",
        "NO_COLOR",
        "EDITOR",
        "VISUAL",
        "PAGER",
        "SSH_AUTH_SOCK",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        "DBUS_SESSION_BUS_ADDRESS",
        "VIRTUAL_ENV",
        "PYTHONPATH",
        "PYTHONUSERBASE",
        "POETRY_HOME",
        "PIPX_HOME",
        "PIPX_BIN_DIR",
        "UV_CACHE_DIR",
        "JAVA_HOME",
        "MAVEN_HOME",
        "GRADLE_USER_HOME",
        "ANDROID_HOME",
        "SDKMAN_DIR",
        "GOPATH",
        "GOROOT",
        "GOBIN",
        "GOCACHE",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "DENO_DIR",
        "BUN_INSTALL",
        "PNPM_HOME",
        "VOLTA_HOME",
        "GEM_HOME",
        "GEM_PATH",
        "RBENV_ROOT",
        "ASDF_DIR",
        "ASDF_DATA_DIR",
        "MISE_DATA_DIR",
        "HOMEBREW_PREFIX",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "LIBRARY_PATH",
        "CPATH",
        "PKG_CONFIG_PATH",
        "MANPATH",
        "CC",
        "CXX",
        "CFLAGS",
        "CXXFLAGS",
        "LDFLAGS",
        "MAKEFLAGS",
        "CUDA_HOME",
        "CUDA_PATH",
        "CUDA_VISIBLE_DEVICES",
        "OMP_NUM_THREADS",
        "HF_HOME",
        "KUBECONFIG",
        "DOCKER_HOST",
        "DOCKER_CONFIG",
        "CI",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "NIX_PATH",
        "NIX_PROFILES",
        "NIX_SSL_CERT_FILE",
    ]
)
_PREFIXES = ("LC_", "XDG_", "CONDA_", "PYENV_", "NVM_")
# A name in the lists above that still speaks of a secret, such as CONDA_TOKEN.
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|PRIVATE_?KEY|AUTH(?!_SOCK|ORITY)")


def submit_env(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environ` that a command may have without being asked for by name.

    This is an allow-list: paths, locale, display and tool folders. Tokens, passwords and
    everything unknown stay behind; a person names them one by one.
    """
    return {
        name: value
        for name, value in environ.items()
        if (name in _NAMES or name.startswith(_PREFIXES)) and not _SECRET.search(name)
    }
