"""What every test shares: how long a property may be searched for."""

import hypothesis

hypothesis.settings.register_profile(
    "goodgate",
    # The machine is shared: a slow example says nothing about the code.
    deadline=None,
    # One run is as good as the next, and a red one can be repeated.
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("goodgate")
