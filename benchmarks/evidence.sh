#!/bin/sh
# Makes what docs/results holds, in order: four to five hours of two cores for all of it (questions: about 70 minutes).
#
#   benchmarks/evidence.sh IMAGES FOLDER [native] [encoder] [references] [questions]
#
# IMAGES has a sub-folder of lossless images for each camera; FOLDER gets the packs and the runs. What was interrupted
# goes on when the command is given again; each search is published as it ends.
set -eu
images=$1 folder=$2
shift 2
python=.venv/bin/python

# search NAME "QUALITIES OF ITS PACK" ARGUMENTS...
search() {
	name=$1 qualities=$2
	shift 2
	pack=$folder/pack-$(echo "$qualities" | tr ' ' -)
	[ -d "$pack" ] || $python -m datasets pack "$images" "$pack" --size 256 --qualities $qualities
	if [ -d "$folder/$name" ]; then
		$python search/run.py --resume "$folder/$name"
	else
		$python search/run.py "$@" --data "$pack" --out "$folder/$name"
	fi
	$python benchmarks/publish.py "$folder/$name" "docs/results/$name" --camera draaslan $also
}

mkdir -p "$folder"
all="25 40 50 55 60 65 70 75" few="25 50 65 75" # of few a trial of many takes half as long to score
for name in ${*:-native encoder references questions}; do
	also=
	case $name in
	native) search native "$all" --space native --time-budget 45m ;;
	encoder) also=--restorer && search encoder "$all" --space encoder --networks native11k --time-budget 45m ;;
	references) search references "$all" --plugin benchmarks/references.py --scale small ;;
	questions) search questions "$few" --plugin benchmarks/thesis_questions.py --scale demo ;;
	*) echo "evidence.sh: no search is named $name: native, encoder, references or questions" >&2 && exit 2 ;;
	esac
done
