#!/usr/bin/env bash
# Ten minutes with a borrowed card, in one command: self-check, benchmarks, rows of the study by
# priority, and what to bring back.
#
#   benchmarks/card.sh OUT [--minutes 9] [--vendor DIR] [--device cuda] [--profile gpu]
#
# OUT: folder for results.tar.gz (records, benchmark file, outputs) and models.tar.part-aa, -ab …
# (text-to-image models; join with cat).
# It runs from the checkout with Python ≥ 3.11 and torch, nothing of ours installed and no network.
# The real images of the rows are found by SYNTHLEARN_DATA, else as caches in runs/data. Packages
# that Python lacks are taken from the wheels in DIR, which is filled by
#   pip download --no-deps --only-binary=:all: --python-version 3.12 \
#     --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 -d vendor \
#     safetensors scipy scikit-learn joblib threadpoolctl tqdm pillow
# (never torch or numpy). PART: size of a part of the models in MB (15). BENCH_SECONDS: of the
# benchmarks, 10 of them for a start (90).
set -u
[ $# -gt 0 ] || { sed -n '2,16p' "$0" | cut -c3-; exit 2; }
out=$1 minutes=9 vendor= device=cuda profile=gpu began=$SECONDS
shift
while [ $# -gt 1 ]; do
  case $1 in
    --minutes) minutes=$2 ;; --vendor) vendor=$2 ;; --device) device=$2 ;; --profile) profile=$2 ;;
    *) echo "$1: no such option" >&2; exit 2 ;;
  esac
  shift 2
done
[ $# -eq 0 ] || { echo "$1: no such option, or it lacks its value" >&2; exit 2; }
PYTHON=${PYTHON:-python3} PART=${PART:-15} bench=${BENCH_SECONDS:-90}
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
[ -z "$vendor" ] || vendor=$(cd "$vendor" && pwd) || exit 1
cd "$(dirname "$0")/.." || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PYTHONPATH=$PWD/lib PYTHONUNBUFFERED=1 PYTHONWARNINGS=ignore HOME=${HOME:-$scratch}

missing=$($PYTHON -m benchmarks.self_check --missing)
for wheel in ${missing:+${vendor:+"$vendor"/*.whl}}; do
  name=$(basename "$wheel"); name=${name%%-*}
  $PYTHON -c "import importlib.metadata as m; m.version('$name')" 2>/dev/null ||
    $PYTHON -m zipfile -e "$wheel" "$scratch/vendor"
done
[ ! -d "$scratch/vendor" ] || export PYTHONPATH=$PYTHONPATH:$scratch/vendor
still=$($PYTHON -m benchmarks.self_check --missing)
echo "missing here: ${missing:-nothing}; after a look at the wheels: $still"

# run_and_keep FILE COMMAND …: output is shown and kept; errors too, at the end, without the bars
run_and_keep() {
  local file=$scratch/$1; shift
  "$@" 2>"$file.err.txt" | tee "$file.txt"
  tr '\r' '\n' <"$file.err.txt" | grep -v '[0-9]%|' | tail -n 20
}
run_and_keep check timeout 60 $PYTHON -m benchmarks.self_check --device "$device"
run_and_keep bench timeout -k 5 "$bench" \
  $PYTHON -m benchmarks --card --device "$device" --seconds $((bench - 10))
# 20 s for what collecting takes
left=$(awk "BEGIN { printf \"%d\", 60 * $minutes - $SECONDS + $began - 20 }")
if [ "$left" -ge 20 ]; then
  run_and_keep rows timeout -k 5 $((left + 10)) \
    $PYTHON -m synthlearn run --profile "$profile" --device "$device" \
    --minutes "$(awk "BEGIN { print $left / 60 }")"
fi

runs=${SYNTHLEARN_RUNS:-runs}
mkdir -p "$scratch/back"
cp "$scratch"/*.txt "$scratch/back"
for folder in {results,"$runs"}/{records/"$profile",benchmarks}; do
  [ -d "$folder" ] || continue
  mkdir -p "$scratch/back/${folder#/}" && cp -r "$folder/." "$scratch/back/${folder#/}"
done
tar -czf "$out/results.tar.gz" -C "$scratch/back" .
[ ! -d "$runs/models" ] || tar -cf - -C "$runs" models | split -b "${PART}m" - "$out/models.tar.part-"
ls -l "$out"
echo "done after $((SECONDS - began)) s"
