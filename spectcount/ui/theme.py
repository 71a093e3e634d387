"""Looks: theme, style sheet and the page's own scripts, all served locally.

Fonts are those of the reader's system: the page never asks another host for anything.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from spectcount.figures import style

STATIC = Path(__file__).parent / "static"
STYLES = [
    STATIC / f"{name}.css"
    for name in (
        "style",
        "cockpit",
        "runs",
        "compare",
        "you",
        "procedures",
        "benchmark",
        "models",
        "maps",
    )
]
SCRIPTS = (
    "page.js",
    "pulse.js",
    "away.js",
    "figures.js",
    "form.js",
    "clip.js",
    "cockpit.js",
    "you.js",
)

_LIGHT, _DARK = style.PALETTE["light"], style.PALETTE["dark"]
_SANS = ("Inter", "system-ui", "-apple-system", "Segoe UI", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", "monospace")

_PETROL = gr.themes.Color(
    c50="#eef7f9",
    c100="#d5ebf0",
    c200="#aed7e1",
    c300="#7dbccb",
    c400="#4b9db1",
    c500="#2a8096",
    c600="#1f687c",
    c700="#1b5466",
    c800="#194554",
    c900="#163a47",
    c950="#0b242e",
    name="petrol",
)


def theme() -> gr.themes.Base:
    """The page's theme, light and dark."""
    return gr.themes.Base(
        primary_hue=_PETROL,
        secondary_hue=_PETROL,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_md,
        spacing_size=gr.themes.sizes.spacing_md,
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        body_background_fill="#f6f8fa",
        body_background_fill_dark="#0e1318",
        background_fill_primary=_LIGHT["panel"],
        background_fill_primary_dark=_DARK["panel"],
        background_fill_secondary="#f0f3f6",
        background_fill_secondary_dark="#1b222a",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_padding="6px 0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_300",
        block_title_text_size="*text_sm",
        block_title_text_weight="500",
        block_info_text_size="*text_sm",
        border_color_primary=_LIGHT["grid"],
        border_color_primary_dark=_DARK["grid"],
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_text_color="#ffffff",
        slider_color="*primary_500",
        slider_color_dark="*primary_400",
        color_accent="*primary_600",
        link_text_color="*primary_600",
        link_text_color_dark="*primary_300",
        input_border_width="1px",
        input_border_color="#7b8794",
        input_border_color_dark="#76838f",
        checkbox_border_color="#7b8794",
        checkbox_border_color_dark="#76838f",
        input_background_fill="#ffffff",
        input_background_fill_dark="#1b222a",
    )


def head() -> str:
    """The page's colours and its own scripts, to be placed in its head."""
    scripts = [style.script(), *((STATIC / name).read_text() for name in SCRIPTS)]
    # an end tag inside a script's own text would end it there; the backslash means nothing in JS
    closed = (text.replace("</script", r"<\/script") for text in scripts)
    return f"<style>{style.css()}</style>" + "".join(f"<script>{t}</script>" for t in closed)
