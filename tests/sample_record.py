"""A record of an experiment, as a sweep would write it."""

RECORD = {
    "format": "gsrgnn point 1",
    "experiment": "depth",
    "parameters": {"num_layers": 2, "learning_rates": [0.1]},
    "defaults": {"seed": 0},
    "key": {"notebook": "0123456789ab", "package": "ba9876543210"},
    "state": "measured",
    "note": "",
    "seconds": 1.5,
    "provenance": {
        **dict.fromkeys(("date", "code hash", "gsrgnn", "Python", "torch", "numba", "OS"), "some"),
        "CPU": "Z80",
        "cores": "2, 1 usable",
        "GPU": "none",
        "threads": "1 torch",
        "label source": "RUDY",
    },
    "rows": [
        {
            "pearson": 0.5,
            "spearman": 0.4,
            "kendall": 0.3,
            "r2": -2.0,
            "learning_rate": 0.1,
            "best_epoch": 3,
            "validation": None,
        }
    ],
}
