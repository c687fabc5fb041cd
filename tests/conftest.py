"""What holds for all tests."""

import hypothesis

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")
