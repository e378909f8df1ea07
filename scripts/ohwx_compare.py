"""The webui's entry: a shim over the package at the extension's root, which holds everything.

The webui runs this file with the extension's root on `sys.path`, does not keep it as a module, and takes every class
in it that is a Script; so there is one, and nothing else.
"""

from ohwx_compare.hosts.webui.entry import CompareScript, register

__all__ = ["CompareScript"]

register()
