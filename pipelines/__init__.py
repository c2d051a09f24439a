"""Media logic on local files: probe, inspect, plan, encode, verify, measure, package, gate."""
