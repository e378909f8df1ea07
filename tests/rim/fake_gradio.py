"""Of gradio, as much as the panel is built of."""

from functools import partial


class Component:
    """Any of gradio's components."""

    def __init__(self, *args, **kwargs):
        self.label, self.value, self.elem_id = kwargs.get("label"), kwargs.get("value"), kwargs.get("elem_id")
        self.choices = args[0] if args and isinstance(args[0], list) else []
        self.visible, self.events = kwargs.get("visible", True), {}
        self.is_rendered = kwargs.get("render", True)
        for name in ("blur", "change", "click", "input", "submit"):
            setattr(self, name, partial(self._listen, name))

    def render(self):
        assert not self.is_rendered
        self.is_rendered = True

    def _listen(self, name, fn, inputs, outputs, show_progress=None):
        self.events.setdefault(name, []).append((fn, inputs, outputs))

    def fire(self, name):
        """Run its handlers with what the components hold now; outputs become what they say, as in the browser."""
        for fn, inputs, outputs in self.events.get(name, []):
            answer = fn(*[component.value for component in inputs])
            for component, update in zip(outputs, answer if len(outputs) > 1 else [answer], strict=True):
                for name, value in (update if isinstance(update, dict) else {"value": update}).items():
                    setattr(component, name, value)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None
