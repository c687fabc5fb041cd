"""The dashboard: pages, scripts and styles, all from this folder and none from anywhere else."""
