"""What is run: the parameters of every notebook, by profile."""

PROFILES = {
    # the notebooks' own defaults, minutes in all on two cores: what `make book` and CI run
    "smoke": {},
    # as deep, wide and long as two cores manage in about an hour
    "cpu": {"11_training": {"num_layers": 60, "epochs": 250}},
}


def parameters(profile: str, notebook: str) -> dict:
    """Parameters that `profile` sets in `notebook` (its name without suffix); the others keep their defaults.

    Raises ValueError for an unknown profile.
    """
    if profile not in PROFILES:
        raise ValueError(f"no profile is called {profile!r}: use one of {', '.join(PROFILES)}")
    return PROFILES[profile].get(notebook, {})
