"""Checks chat templates between Terrarium and transformers in both directions, on a machine that has
transformers.

    python3 scripts/check_chat_export.py check FOLDER... [--report FILE.md]
    python3 scripts/check_chat_export.py make FILE.json

`check` opens folders of stages with AutoTokenizer and AutoModelForCausalLM and compares the ids and
the assistant mask of `apply_chat_template`, the special tokens, and a batch with padding. To make
such folders, run

    EXPORT_DIR=.cache/chat npx vitest run --project node src/checkpoint/chat_export.test.ts

Each has chat_expected.json beside the files of its checkpoint:

    {"conversations": [{"messages": [...], "ids": [int], "mask": [0 | 1], "prompt": [int]}],
     "pad_token_id": int, "eos_token_id": int}

where `prompt` has the ids of all messages before the last one, up to where the assistant begins.

`make` writes the fixture of src/data/conversations/brought.test.ts: a small tokenizer with the chat
templates of three families of models, written here from their documented formats, and the ids that
transformers gives.
"""

import argparse
import datetime
import json
import pathlib
import platform
import sys

import tokenizers
import transformers as hf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nAnswer briefly.<|im_end|>\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
HEADERS = (
    "{{- bos_token }}\n"
    "{%- for message in messages %}\n"
    "    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}\n"
    "    {{- message['content'] | trim + '<|eot_id|>' }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n"
    "{%- endif %}\n"
)
TURNS = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('There is no system role.') }}{% endif %}"
    "{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
FAMILIES = [
    dict(
        name="chatml",
        template=CHATML,
        special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        tokens=dict(eos_token="<|im_end|>", pad_token="<|endoftext|>"),
        end="<|im_end|>",
    ),
    dict(
        name="headers",
        template=HEADERS,
        special=["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        tokens=dict(bos_token="<|begin_of_text|>", eos_token="<|eot_id|>"),
        end="<|eot_id|>",
    ),
    dict(
        name="turns",
        template=TURNS,
        special=["<pad>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"],
        tokens=dict(bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"),
        end="<end_of_turn>",
    ),
]
USER = dict(role="user", content="Who has the red kite?")
ANSWER = dict(role="assistant", content=" Lily has it, in 2026.\nShe's glad. ")
CONVERSATIONS = [
    [USER, ANSWER],
    [USER, ANSWER, dict(role="user", content="Where?"), dict(role="assistant", content="Home")],
    [dict(role="system", content="Be kind."), USER, ANSWER],
]
# Qwen's and Llama 3's kind: a regular expression before byte-level BPE.
SPLIT = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+"


def make_tokenizer(special):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet, show_progress=False)
    texts = [message["content"] for messages in CONVERSATIONS for message in messages]
    tokenizer.train_from_iterator(texts + ["user", "assistant", "system", "model"], trainer)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return tokenizer


def ids_of(tokenizer, messages, **options):
    return tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, **options)


def make_family(family):
    backend = make_tokenizer(family["special"])
    tokenizer = hf.PreTrainedTokenizerFast(tokenizer_object=backend, **family["tokens"])
    tokenizer.chat_template = family["template"]
    cases = []
    for messages in CONVERSATIONS:
        try:
            ids = ids_of(tokenizer, messages)["input_ids"]
            prompt = ids_of(tokenizer, messages[:-1], add_generation_prompt=True)["input_ids"]
        except Exception as error:
            cases.append(dict(messages=messages, error=str(error)))
            continue
        assert ids[: len(prompt)] == prompt
        cases.append(dict(messages=messages, ids=ids, prompt=prompt))
    special = {name: tokenizer.convert_tokens_to_ids(text) for name, text in family["tokens"].items()}
    return dict(
        name=family["name"],
        template=family["template"],
        tokens={f"{name}_id": id for name, id in special.items()},
        end=tokenizer.convert_tokens_to_ids(family["end"]),
        tokenizer=json.loads(backend.to_str()),
        cases=cases,
    )


def make(path):
    families = [make_family(family) for family in FAMILIES]
    text = json.dumps(families, ensure_ascii=False, separators=(",", ":"))
    pathlib.Path(path).write_text(text + "\n", encoding="utf-8")


def check_folder(folder):
    expected = json.loads((folder / "chat_expected.json").read_text(encoding="utf-8"))
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    model = hf.AutoModelForCausalLM.from_pretrained(folder)
    wrong = []

    def compare(what, found, wanted):
        if found != wanted:
            wrong.append(f"{what}: {found} instead of {wanted}")

    compare("pad_token_id", tokenizer.pad_token_id, expected["pad_token_id"])
    compare("eos_token_id", tokenizer.eos_token_id, expected["eos_token_id"])
    compare("config pad", model.config.pad_token_id, expected["pad_token_id"])
    compare("config eos", model.config.eos_token_id, expected["eos_token_id"])
    compare("generation pad", model.generation_config.pad_token_id, expected["pad_token_id"])
    compare("generation eos", model.generation_config.eos_token_id, expected["eos_token_id"])
    compare("vocabulary", model.get_input_embeddings().num_embeddings, len(tokenizer))
    for number, case in enumerate(expected["conversations"]):
        messages = case["messages"]
        full = ids_of(tokenizer, messages, return_assistant_tokens_mask=True)
        compare(f"ids {number}", full["input_ids"], case["ids"])
        compare(f"mask {number}", full["assistant_masks"], case["mask"])
        prompt = ids_of(tokenizer, messages[:-1], add_generation_prompt=True)
        compare(f"prompt {number}", prompt["input_ids"], case["prompt"])
    batch = tokenizer.apply_chat_template(
        [case["messages"] for case in expected["conversations"]],
        tokenize=True,
        return_dict=True,
        padding=True,
        return_tensors="pt",
    )
    logits = model(**batch).logits
    compare("finite logits", bool(logits.isfinite().all()), True)
    return len(expected["conversations"]), wrong


def check(folders, report):
    lines = ["| folder | conversations | result |", "|---|---|---|"]
    failed = False
    for folder in map(pathlib.Path, folders):
        count, wrong = check_folder(folder)
        failed = failed or bool(wrong)
        lines.append(f"| {folder.name} | {count} | {'; '.join(wrong) or 'equal'} |")
    versions = f"transformers {hf.__version__}, tokenizers {tokenizers.__version__}"
    head = f"{datetime.date.today()}, Python {platform.python_version()}, {versions}"
    text = "\n".join([head, "", *lines])
    print(text)
    if report:
        pathlib.Path(report).write_text(text + "\n", encoding="utf-8")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check")
    checking.add_argument("folders", nargs="+")
    checking.add_argument("--report")
    making = commands.add_parser("make")
    making.add_argument("file")
    options = parser.parse_args()
    if options.command == "make":
        make(options.file)
        return 0
    return check(options.folders, options.report)


if __name__ == "__main__":
    sys.exit(main())
