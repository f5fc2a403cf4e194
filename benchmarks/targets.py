"""What the project asks of itself, against a run; and the short table of the front page."""

from .calls import MODULE
from .tables import ratio, table

FRONT_PAGE = ("Uniform, float32", "Normal, float32", "TruncatedNormal ±2 std, float32",
              "Orthogonal 2048 × 2048, float32", MODULE)
LIBRARIES = ("fanin", "torch", "numpy", "jax", "mkl")


def targets(results):
    """The table of targets: each line is a ratio or a time of this run, and whether it is within its limit."""
    one, many = ({row["label"]: row for row in results[name]} for name in ("fills, one core", "fills, all cores"))
    rows = []

    def at_least(limit, work, rule, value):
        rows.append([work, rule, value, None if value is None else "yes" if value >= limit else "**no**"])

    def at_most(limit, work, rule, value):
        rows.append([work, rule, value, None if value is None else "yes" if value <= limit else "**no**"])

    def times(label, other, row=one):
        return ratio(row.get(label, {}).get("fanin"), row.get(label, {}).get(other))

    uniform, normal, cut = "Uniform, float32", "Normal, float32", "TruncatedNormal ±2 std, float32"
    at_least(6, uniform, "≥ 6 × torch", times(uniform, "torch"))
    at_least(0.75, uniform, "≥ 0.75 × MKL's sequential SFMT19937", times(uniform, "mkl"))
    at_least(0.95, uniform, "≥ 0.95 × the raw words", ratio(one[uniform]["fanin"], one["raw words, uint32"]["fanin"]))
    if many:
        at_least(1.3, f"{uniform}, all cores", "≥ 1.3 × MKL's sequential SFMT19937", times(uniform, "mkl", many))
    at_least(4, normal, "≥ 4 × torch", times(normal, "torch"))
    at_least(3, normal, "≥ 3 × MKL's BoxMuller2", times(normal, "mkl"))
    at_least(100, cut, "≥ 100 × torch", times(cut, "torch"))
    at_least(30, cut, "≥ 30 × JAX", times(cut, "jax"))
    general = "TruncatedNormal [-1, 4] std, float32"
    at_least(60, general, "≥ 60 × torch", times(general, "torch"))
    for law in ("Uniform", "Normal", "TruncatedNormal ±2 std"):
        for half in ("bfloat16", "float16"):
            at_least(1, f"{law}, {half}", "≥ 1 × float32", ratio(one[f"{law}, {half}"]["fanin"],
                                                                 one[f"{law}, float32"]["fanin"]))
    for label in (uniform, normal, cut) if many else ():
        at_least(1.9, label, "two cores ≥ 1.9 × one", ratio(many[label]["fanin"], one[label]["fanin"]))
    sparse = next(label for label in one if label.startswith("Sparse"))
    at_least(0.5, f"{sparse}, G elements/s", "≥ 0.5", one[sparse]["fanin"] / 1e9)
    for row in results["layouts"]:
        at_most(1.5, f"{uniform}, {row['label']}", "≤ 1.5 × a fresh draw and numpy's copy",
                row["fanin"] / (row["fresh"] + row["copy"]))
        if "torch" in row:
            at_most(1, f"{uniform}, {row['label']}", "≤ 1 × torch's time", row["fanin"] / row["torch"])
    for row in results["matrices, one core"]:
        at_most(0.45, row["label"], "≤ 0.45 × torch's time", ratio(row["fanin"], row.get("torch")))
    for row in results["calls"]:
        limit = 3 if row["label"].startswith(MODULE) else 1  # a module is looked through, checked and listed, too
        at_most(limit, f"{row['label']}, into tensors", f"≤ {limit} × torch's time",
                ratio(row.get("fanin, into a tensor"), row.get("torch")))
    start = results["startup"]
    added = start["import fanin"] - start["import numpy"]
    at_most(max(0.1, start["import numpy"] + 0.02), "import fanin, seconds", "≤ 0.1, or numpy's + 0.02",
            start["import fanin"])
    rows[-1][1] += f" (here {added:.3f})"
    for label, seconds in start.items():
        if label.endswith("on disk"):
            at_most(1, f"{label}, seconds", "≤ 1.0", seconds)
    for name, limit in (("Uniform", 2), ("he_normal", 3), ("Sparse", 4)):
        label = f"first call of {name}, which compiles"
        at_most(limit, f"{label}, seconds", f"≤ {limit}", start.get(label))
    return table(["work", "target", "here", "met"], rows)


def front_page(results, elements):
    """The short table: G elements/s on one core, then times."""
    rows = [[row["label"], *(row.get(name) and row[name] / 1e9 for name in LIBRARIES),
             ratio(row.get("fanin"), row.get("torch"))]
            for row in results["fills, one core"] if row["label"] in FRONT_PAGE]
    for row in results["matrices, one core"]:
        if row["label"] in FRONT_PAGE:
            times = [row.get(name) and row[name] * 1e3 for name in LIBRARIES]
            rows.append([f"{row['label']}, ms", *times, ratio(row.get("torch"), row["fanin"])])
    for row in results["calls"]:
        if row["label"] in FRONT_PAGE:
            row = {"fanin": row.get("fanin, into a tensor"), **row}  # a module has no numpy arrays
            times = [row.get(name) and row[name] * 1e6 for name in LIBRARIES]
            rows.append([f"{row['label']}, µs", *times, ratio(row.get("torch"), row["fanin"])])
    header = [f"{elements} elements, G/s, one core", "fanin", "torch", "numpy", "JAX", "MKL", "times torch"]
    return table(header, rows)
