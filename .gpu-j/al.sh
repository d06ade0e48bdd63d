# al.sh SECONDS JOBS: carries out the recipes of the file all at once.
export DIST=/tmp/dist
R=/tmp/gpu/remote.sh; W=/tmp/al/$(basename $2); mkdir -p $W; i=0
while read -r line; do i=$((i+1)); (bash $R node bench/alignment/gpu_recipes.cjs $W/$i.jsonl $1 $line > $W/$i.log 2>&1) & done < $2
for k in $(seq 1 $(($1/5))); do sleep 5; cat $W/*.jsonl > $OUT/all.jsonl 2>/dev/null; [ -z "$(jobs -rp)" ] && break; jobs >/dev/null; done
cat $W/*.jsonl > $OUT/all.jsonl; cat $W/*.log | grep -E " (reward|rm|ppo)" | cut -c1-200
