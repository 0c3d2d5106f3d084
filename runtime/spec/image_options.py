"""The options by which a spec takes over what an image says, for specs that are made without a pod.

Containers of pods do not come this way: `process`, `environment` and `user` weigh the image against the request. What was
set in the spec before wins over the image, except for the arguments, which are the image's matter.
"""

from runtime.spec.document import Option, Spec, apply, put, texts_at, value_at
from runtime.spec.environment import merge_environment, usable_entries
from runtime.spec.image_defaults import ImageDefaults
from runtime.spec.path_text import clean_path
from runtime.spec.process import with_args, with_cwd
from runtime.spec.user import with_user_of_image

STOP_SIGNAL_ANNOTATION = "org.opencontainers.image.stopSignal"
"""image-spec, conversion.md."""


def with_image_config(
    image: ImageDefaults, args: tuple[str, ...] = (), *, passwd: str = "", group: str = ""
) -> Option:
    """Take env, args, cwd, user and stop signal from an image; `args` stand in for its cmd.

    Raises:
        InvalidArgument: the image's user cannot be resolved.
    """
    chosen = (*image.entrypoint, *(args or image.cmd))
    options = [with_args(chosen), with_cwd(clean_path(image.working_dir))]
    options.append(with_user_of_image(image.user, passwd, group))

    def option(spec: Spec) -> Spec:
        spec = apply(_with_image_environment(spec, image), *options)
        if image.stop_signal:
            spec = put(spec, ("annotations", STOP_SIGNAL_ANNOTATION), image.stop_signal)
        return spec

    return option


def _with_image_environment(spec: Spec, image: ImageDefaults) -> Spec:
    already = texts_at(spec, "process", "env")
    merged = merge_environment(usable_entries(image.env), already)
    if not merged and value_at(spec, "process", "env") is None:
        return spec
    return put(spec, ("process", "env"), list(merged))
