"""Black-box tests: the real program against a stand-in cloud."""
