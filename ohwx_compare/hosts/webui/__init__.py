"""Inside the AUTOMATIC1111 webui: the only place that imports its `modules`."""
