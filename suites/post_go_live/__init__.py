"""Post Go-Live Monitoring: what is watched after the go-live, for a day, for a week, and from then on."""
