#!/bin/sh
# preflight.sh PYTHON: what must be on the machine before anything of ours can run. All that is missing is said at once.
missing=
"$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  || missing="$missing
  - python 3.11 or later (found: $("$1" --version 2>&1 | head -n 1)); or name another one: make PYTHON=/path/to/python3.12 …"
command -v git >/dev/null || missing="$missing
  - git"
[ -z "$missing" ] && exit 0
command -v go >/dev/null || [ -n "${DEV_CLUSTER_BIN:-}${KUBEBUILDER_ASSETS:-}" ] || missing="$missing
  - Go 1.26, unless you use a cluster that you have: make up CONTEXT=NAME"
printf 'Missing on this machine:%s\n' "$missing" >&2
exit 1
