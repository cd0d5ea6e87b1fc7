"""The cases beside a policy: what they expect, what none looks at, which slips none notices."""
