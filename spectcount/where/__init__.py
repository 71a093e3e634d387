"""At which stage a model loses a sound: the sensitivity ladder, and patching."""
