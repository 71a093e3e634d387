"""Figures as data: one plain dict, drawn by the page, on paper (SVG, PNG) and in one HTML file."""
