"""Tracking as the SDK sees it: artifacts, environments and runs over HTTP."""
