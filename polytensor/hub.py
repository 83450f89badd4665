"""torch.hub: nothing is downloaded here."""

from .absent import refuse

_INSTEAD = "download the file yourself and read it with torch.load"
load, download_url_to_file, load_state_dict_from_url, list, help = (
    refuse(f"hub.{_name}", _INSTEAD)
    for _name in ("load", "download_url_to_file", "load_state_dict_from_url", "list", "help")
)
