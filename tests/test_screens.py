"""Every screen in both orientations, from constructed snapshots of a real body, a real shirt and simulated frames."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from game.app import App
from game.protocol import commands
from game.protocol.snapshot import Choice, Guidance, Keeping, ScanProgress, Screen, SeeAs
from game.view.camera import Crop, covering
from game.view.context import Context, NoGraphicsError
from game.view.display import Display
from game.view.interface.canvas import Picture, Plate, Ring, Text
from game.view.interface.choosers import Slider
from game.view.interface.inputs import KEYS, PAD, Action, Gamepad, Inputs, action_of_key
from game.view.looking_glass import exposure_of
from scenes import SCREENS
from scenes.keep import qr_picture
from solver.types import Intrinsics
from tests.moments import CHOICES, NOTICE, RACK, grown, moment, visit
from tests.test_view import assert_golden

PORTRAIT, LANDSCAPE = (270, 480), (480, 270)
VARIANTS = {
    "attract": (Screen.ATTRACT, {}),
    "attract_blind": (Screen.ATTRACT, {"camera": None}),
    "consent": (Screen.CONSENT, {}),
    "scan": (Screen.SCAN, {}),
    "scan_begins": (Screen.SCAN, {"scan": None, "camera": "empty"}),
    "scan_refines": (Screen.SCAN, {"scan": "refining"}),
    "reveal": (Screen.REVEAL, {}),
    "mirror": (Screen.MIRROR, {}),
    "mirror_glass": (Screen.MIRROR, {"see_as": SeeAs.MIRROR}),
    "mirror_busy": (
        Screen.MIRROR,
        {"busy": "cutting and sewing", "busy_share": 0.4, "notice": "Not on the rack today."},
    ),
    "mirror_bare": (Screen.MIRROR, {"rack": (), "choices": (), "fabrics": (), "prints": (), "colors": ()}),
    "keep": (Screen.KEEP, {"keeping": None}),
    "keep_never": (Screen.KEEP, {"keeping": None, "can_keep": False}),
    "keep_kept": (Screen.KEEP, {}),
    "goodbye": (Screen.GOODBYE, {}),
    "maintenance": (Screen.MAINTENANCE, {}),
}


class Told:
    """A session that says what it is told to, and remembers what it was asked."""

    def __init__(self, snapshot):
        self.snapshot = snapshot
        self.asked = []
        self.advanced = 0.0

    def latest(self):
        return self.snapshot

    def ask(self, command):
        self.asked.append(command)

    def advance(self, seconds):
        self.advanced += seconds

    def close(self):
        pass


def told(name, index=12):
    screen, changes = VARIANTS[name]
    changes = dict(changes)
    if changes.get("camera") == "empty":
        changes["camera"] = visit().empty
    if changes.get("scan") == "refining":
        changes["scan"] = ScanProgress(Guidance.DONE, 6.3, 1.0, 0.4, *grown(1.0))
    return Told(moment(screen, index, **changes))


@pytest.fixture(scope="module")
def context():
    try:
        return Context()
    except NoGraphicsError as error:
        pytest.skip(f"no OpenGL here: {error}")


@pytest.fixture(params=[PORTRAIT, LANDSCAPE], ids=["portrait", "landscape"])
def display(context, request):
    display = Display(request.param, headless=True, context=context)
    yield display
    display.close()


@pytest.fixture
def portrait(context):
    display = Display(PORTRAIT, headless=True, context=context)
    yield display
    display.close()


def shown(display, session, pictures=3, dt=1.0):
    app = App(display, session, SCREENS)
    for _ in range(pictures):
        picture = app.step(dt, Inputs(), read=True)
    return app, picture


@pytest.mark.parametrize("name", VARIANTS)
def test_every_screen_is_drawn_and_laid_out(display, name):
    session = told(name)
    app, picture = shown(display, session)
    assert picture.shape == (display.size[1], display.size[0], 3)
    assert picture.std() > 4.0
    assert session.asked == []
    canvas = display.canvas
    widgets = app.scene.touch._widgets
    assert widgets or name in ("goodbye", "maintenance")
    for widget in widgets:
        rect = widget.rect
        assert rect.x >= -0.5
        assert rect.y >= -0.5
        assert rect.right <= canvas.width + 0.5
        assert rect.bottom <= canvas.height + 0.5
        assert min(rect.width, rect.height) >= 36
        if canvas.portrait:
            assert rect.middle[1] > 0.5 * canvas.height
    app.leave()


@pytest.mark.parametrize("name", ["consent", "reveal", "mirror", "mirror_glass", "keep", "keep_kept"])
def test_widgets_do_not_overlap(display, name):
    app, _ = shown(display, told(name), 1)
    rects = [widget.rect for widget in app.scene.touch._widgets]
    for i, a in enumerate(rects):
        for b in rects[:i]:
            apart = a.x >= b.right or b.x >= a.right or a.y >= b.bottom or b.y >= a.bottom
            assert apart, f"{a} and {b}"
    app.leave()


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in ("goodbye", "maintenance")])
def test_keys_reach_every_control(portrait, name):
    """Tab goes round everything; so do a gamepad's arrows, from one thing to its neighbours."""
    app, _ = shown(portrait, told(name), 1)
    touch = app.scene.touch
    usable = [widget for widget in touch._widgets if widget.enabled]
    reached = []
    for _ in usable:
        touch.handle(Inputs(actions=[Action.NEXT]), 0.0)
        reached.append(touch.focus)
    assert {id(widget) for widget in reached} == {id(widget) for widget in usable}
    seen, waiting = set(), [usable[0]]
    while waiting:
        widget = waiting.pop()
        if id(widget) in seen:
            continue
        seen.add(id(widget))
        for action in (Action.LEFT, Action.RIGHT, Action.UP, Action.DOWN):
            touch._set_focus(widget)
            touch.handle(Inputs(actions=[action]), 0.0)
            waiting.append(touch.focus)
    assert seen == {id(widget) for widget in usable}
    app.leave()


def tap(app, x, y):
    app.step(0.1, Inputs(pointer=(x, y), pressed=True, down=True))
    app.step(0.1, Inputs(pointer=(x, y), released=True))


ANSWERS = {
    "attract": {commands.Begin},
    "consent": {commands.Consent},
    "scan": {commands.Consent},
    "reveal": {commands.Continue, commands.ScanAgain},
    "keep": {commands.Keep, commands.Leave, commands.BackToMirror},
    "keep_never": {commands.Leave, commands.BackToMirror},
    "keep_kept": {commands.Continue},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_finger_gives_every_answer(display, name):
    session = told(name)
    app, _ = shown(display, session, 1)
    for button in list(app.scene.touch._widgets):
        tap(app, *button.rect.middle)
    assert {type(command) for command in session.asked} == ANSWERS[name]
    app.leave()


def test_a_button_left_before_letting_go_does_nothing(portrait):
    session = told("consent")
    app, _ = shown(portrait, session, 1)
    x, y = app.scene.touch._widgets[0].rect.middle
    app.step(0.1, Inputs(pointer=(x, y), pressed=True, down=True))
    app.step(0.1, Inputs(pointer=(x, 20.0), released=True))
    assert session.asked == []
    app.leave()


def test_everything_at_the_mirror_can_be_asked_for(display):
    session = told("mirror")
    app, _ = shown(display, session, 1)
    scene = app.scene
    session.snapshot = replace(session.snapshot, can_redo=True)
    app.step(0.1, Inputs())
    for topic in list(scene._topics):
        tap(app, *scene._topics[topic].rect.middle)
        app.step(0.1, Inputs())
        fixed = {
            scene._carousel,
            *scene._topics.values(),
            scene._undo,
            scene._redo,
            scene._see,
            scene._done,
            scene._handle,
        }
        inner = [widget for widget in scene.touch._widgets if widget not in fixed]
        assert inner, topic
        for widget in inner:
            x, y = widget.rect.middle
            tap(app, x, widget.rect.bottom - 20 if isinstance(widget, Slider) else y)
    for button in (scene._undo, scene._redo, scene._see, scene._done):
        tap(app, *button.rect.middle)
    middle = scene._carousel.rect.middle
    tap(app, middle[0] + 120, middle[1])
    kinds = {type(command) for command in session.asked}
    assert kinds == {
        commands.Alter, commands.ChooseFabric, commands.ChoosePrint, commands.ChooseColor, commands.Undo, commands.Redo,
        commands.See, commands.GoToKeep, commands.TryOn,
    }  # fmt: skip
    altered = {command.name for command in session.asked if isinstance(command, commands.Alter)}
    assert altered == {choice.name for choice in CHOICES}
    app.leave()


def test_the_drawer_closes_when_nobody_touches_and_opens_by_a_touch(portrait):
    session = told("mirror")
    app, _ = shown(portrait, session, 1)
    scene = app.scene
    low = scene._within[3]
    for _ in range(200):
        app.step(0.1, Inputs())
    assert scene._within[3] > low + 0.2
    assert scene._carousel not in scene.touch._widgets
    # On the figure: it opens, and asks for nothing.
    tap(app, 270.0, 400.0)
    for _ in range(20):
        app.step(0.1, Inputs())
    assert scene._within[3] == pytest.approx(low)
    assert session.asked == []
    tap(app, *scene._handle.rect.middle)
    assert scene._bar in scene.touch._widgets
    tap(app, *scene._bar.rect.middle)
    assert scene._carousel in scene.touch._widgets
    # What stays in reach does its work without opening anything.
    tap(app, *scene._handle.rect.middle)
    tap(app, *scene._see.rect.middle)
    assert session.asked == [commands.See(SeeAs.MIRROR)]
    assert scene._bar in scene.touch._widgets
    app.leave()


def test_a_dragged_slider_says_when_it_is_meant(portrait):
    session = told("mirror")
    app, _ = shown(portrait, session, 1)
    slider = app.scene._slider
    way = slider._way
    app.step(0.1, Inputs(pointer=(way.x + 0.2 * way.width, way.middle[1]), pressed=True, down=True))
    app.step(0.1, Inputs(pointer=(way.x + 0.6 * way.width, way.middle[1]), down=True))
    app.step(0.1, Inputs(pointer=(way.x + 0.6 * way.width, way.middle[1]), released=True))
    finals = [command.final for command in session.asked]
    assert finals == [False, False, True]
    sleeve = CHOICES[0]
    wanted = sleeve.minimum + 0.6 * (sleeve.maximum - sleeve.minimum)
    assert session.asked[-1].value == pytest.approx(wanted, abs=0.0051)
    session.asked.clear()
    slider.act(Action.RIGHT)
    app.step(0.1, Inputs())
    assert session.asked[-1].final
    app.leave()


def test_a_swipe_moves_the_carousel(portrait):
    session = told("mirror")
    app, _ = shown(portrait, session, 1)
    x, y = app.scene._carousel.rect.middle
    app.step(0.1, Inputs(pointer=(x, y), pressed=True, down=True))
    app.step(0.1, Inputs(pointer=(x - 130, y), down=True))
    app.step(0.1, Inputs(pointer=(x - 130, y), released=True))
    assert session.asked == [commands.TryOn(2)]
    app.leave()


def test_keys_and_gamepads_mean_the_same_actions():
    assert set(KEYS.values()) == set(Action)
    assert set(PAD.values()) == set(Action)
    assert action_of_key("arrow_left-repeat") is Action.LEFT
    assert action_of_key("enter-repeat") is None
    assert action_of_key("q") is None
    pad = Gamepad()
    assert pad.read({"face_a"}, (0.0, 0.0)) == [Action.ACCEPT]
    assert pad.read({"face_a"}, (0.0, 0.0)) == []
    assert pad.read(set(), (0.9, 0.1)) == [Action.RIGHT]
    assert pad.read(set(), (0.8, 0.2)) == []
    assert pad.read(set(), (0.0, -0.9)) == [Action.DOWN]


def test_undo_works_everywhere_at_the_mirror(portrait):
    session = told("mirror")
    app, _ = shown(portrait, session, 1)
    app.step(0.1, Inputs(actions=[Action.UNDO, Action.REDO, Action.BACK]))
    assert session.asked == [commands.Undo(), commands.Redo(), commands.GoToKeep()]
    app.leave()


LONG = {
    "notice": "The mirror cannot sew that: the sleeve's length must lie between 4 and 64 centimetres for this design.",
    "maintenance": "camera: the RealSense D435 with serial number 038522063145 sends no frames; cloth: out of memory",
    "camera_problem": "The camera was unplugged; put its cable back into a blue (USB 3) socket of this computer",
    "rack": tuple(
        replace(item, label=label)
        for item, label in zip(
            RACK,
            ("Dusty rose, oversized", "Hand-printed Breton stripe with boat neck", "Terracotta, long sleeves", "Tee",
             "Unterhemdenstofflangarmhemd"),
            strict=True,
        )
    ),
    "choices": (
        *CHOICES[:2],
        replace(CHOICES[2], label="Ease of the chest and waist"),
        Choice("neckline", "Neckline", 0.01, 0.0, 0.04, 0.0, "m"),
        Choice("shape", "Waist", 0.3, 0.0, 1.0, 0.0, ""),
    ),
    "fabrics": ("jersey", "heavyweight jersey", "poplin", "linen", "silk crepe de chine", "denim"),
    "busy": "keeping your profile under your own secret",
}  # fmt: skip
LONGEST_KEEPING = Keeping("f" * 8 + "-wwww-mmmm-wwww-mmmmmmmmmmmm", "-".join(["WWWW"] * 7))


@pytest.fixture
def drawn(monkeypatch):
    """All texts and plates that are made from now on."""
    things = {Text: [], Plate: []}
    for kind, found in things.items():
        begin = kind.__init__

        def remember(self, *args, begin=begin, found=found, **options):
            begin(self, *args, **options)
            found.append(self)

        monkeypatch.setattr(kind, "__init__", remember)
    return things


def holds(outer, inner):
    """Whether one box (left, right, bottom, top) [px] holds another but for a pixel."""
    return (
        inner[0] >= outer[0] - 1 and inner[1] <= outer[1] + 1 and inner[2] >= outer[2] - 1 and inner[3] <= outer[3] + 1
    )


def assert_words_are_held(display, scene, drawn):
    """Every glyph lies within the smallest plate that its first line lies on, and within the screen."""
    root, scale = display.canvas.root, display.canvas.scale
    there = {
        kind: [t for t in things if root.is_ancestor_of(t.node) and t.node.get_hidden_ancestor().is_empty()]
        for kind, things in drawn.items()
    }
    toast = scene._toast.node if scene._toast is not None else None

    def of_toast(thing):
        return toast is not None and toast.is_ancestor_of(thing.node)

    boxes = []
    for plate in there[Plate]:
        x, _, y = plate.node.get_pos(root)
        half_width, half_height = plate.rect.width * scale / 2, plate.rect.height * scale / 2
        if not isinstance(plate, (Ring, Picture)) and min(half_width, half_height) > 8:
            boxes.append((of_toast(plate), (x - half_width, x + half_width, y - half_height, y + half_height)))
    whole = (0.0, display.size[0], -display.size[1], 0.0)
    count = 0
    for text in there[Text]:
        if not any(text.lines):
            continue
        count += 1
        low, high = text.node.get_tight_bounds(root)
        box = (low[0], high[0], low[2], high[2])
        x, y = (low[0] + high[0]) / 2, high[2] - 2
        # A passing remark lies over whatever is there.
        layer = [b for remark, b in boxes if remark == of_toast(text)]
        under = [b for b in layer if b[0] <= x <= b[1] and b[2] <= y <= b[3]]
        # A row that is swiped runs out at the sides of the screen.
        carousel = getattr(scene, "_carousel", None)
        if carousel and -carousel.rect.bottom * scale <= y <= -carousel.rect.y * scale:
            assert under, f"{text._text!r} at {box} lies on no card"
            outer = [min(under, key=lambda b: b[1] - b[0])]
        else:
            outer = [min(under, key=lambda b: (b[1] - b[0]) * (b[3] - b[2]), default=whole), whole]
        for around in outer:
            assert holds(around, box), f"{text._text!r} at {box} leaves {around}"
    assert count


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("size", [(540, 960), (960, 540)], ids=["portrait", "landscape"])
def test_no_words_leave_their_card_or_the_screen(context, name, size, drawn):
    """However long they are. In the size of the design: letters of seven pixels are not as wide as they say."""
    display = Display(size, headless=True, context=context)
    session = told(name)
    changes = dict(LONG)
    if session.snapshot.keeping is not None:
        changes["keeping"] = LONGEST_KEEPING
    if name == "keep":
        changes["keep_notice"] = NOTICE + " " + NOTICE[:120]
    session.snapshot = replace(session.snapshot, **changes)
    app, _ = shown(display, session)
    assert_words_are_held(display, app.scene, drawn)
    for topic in list(getattr(app.scene, "_topics", ())):
        app.scene._choose_topic(topic)
        app.step(1.0, Inputs())
        assert_words_are_held(display, app.scene, drawn)
    if getattr(app.scene, "_foldable", False):
        app.scene._fold(False)
        for _ in range(30):
            app.step(0.1, Inputs())
        assert_words_are_held(display, app.scene, drawn)
    app.leave()
    display.close()


def test_another_size_is_laid_out_anew(portrait):
    app, _ = shown(portrait, told("mirror"), 1)
    portrait.resize(LANDSCAPE)
    app.scene.arrange_anew()
    picture = app.step(0.1, Inputs(), read=True)
    assert picture.shape == (LANDSCAPE[1], LANDSCAPE[0], 3)
    fresh = Display(LANDSCAPE, headless=True, context=portrait.context)
    app.step(1.0, Inputs())
    again = app.step(1.0, Inputs(), read=True).astype(int)
    other, expected = shown(fresh, told("mirror"))
    assert np.abs(again - expected).mean() < 2.0
    other.leave()
    fresh.close()
    app.leave()


def test_shoppers_leave_no_objects_behind(portrait):
    """Three shoppers through all screens: the driver holds as much after the third as after the first."""
    counts = []
    names = ("attract", "scan", "scan_refines", "reveal", "mirror", "mirror_glass", "keep_kept", "goodbye")
    for version in range(3):
        for name in names:
            session = told(name, version)
            snapshot = session.snapshot
            if snapshot.shopper is not None:
                session.snapshot = replace(snapshot, shopper=replace(snapshot.shopper))
            app, _ = shown(portrait, session, 1)
            app.leave()
        for _ in range(3):
            portrait.draw()
        counts.append(portrait.context.object_counts)
    # A texture may be let go a round late; none is held for ever.
    assert all(counts[2][kind] <= count for kind, count in counts[1].items())


def test_a_display_gives_everything_back(context):
    def cycle():
        display = Display((64, 96), headless=True, context=context)
        app, _ = shown(display, told("mirror"), 1)
        app.close()
        context.engine.render_frame()
        return context.object_counts["outputs"]

    assert cycle() == cycle()


def test_hands_lie_over_the_garment_and_the_garment_over_the_body(context):
    """A hand nearer than the shirt is the camera's picture; the chest is the shirt's."""
    display = Display((480, 848), headless=True, context=context)
    display.pipeline.ease()
    session = told("mirror_glass")
    snapshot = session.snapshot
    app = App(display, session, SCREENS)
    app.step(1.0, Inputs())
    display.dresser = app._dresser
    app.scene.layer.set_opacity(0.0)
    app._dresser.dress_glass(snapshot, Crop())
    display.show_glass()
    display.glass.set_vignette(0.0, 0.0)
    picture = display.draw(read=True)[:, ::-1].astype(int)
    camera = snapshot.camera
    changed = np.abs(picture - camera.frame.color.astype(int)).sum(2)
    model_body = camera.body.vertices
    glass = display.glass.camera
    from game.assets import load_body_model

    model = load_body_model()
    hands = np.isin(model.part_labels, [model.part("hand_l"), model.part("hand_r")])
    pixels = np.rint(glass.project(model_body[hands])[:, :2]).astype(int)
    at_hands = changed[pixels[:, 1], pixels[:, 0]]
    assert (at_hands < 60).mean() > 0.9
    chest = np.rint(glass.project(model_body[[model.landmarks["navel"]]])[0, :2]).astype(int)
    assert changed[chest[1] - 60, chest[0]] > 80
    outside = cv2.dilate(camera.person, np.ones((31, 31))) == 0
    assert np.percentile(changed[outside], 99) < 30
    app.close()


def test_goodbye_says_wiped_only_when_it_is(portrait):
    session = told("goodbye")
    session.snapshot = replace(session.snapshot, shopper=visit().shopper)
    app, _ = shown(portrait, session, 1)
    assert "Wiping" in app.scene._words._text
    session.snapshot = replace(session.snapshot, shopper=None)
    app.step(0.1, Inputs())
    assert "Nothing of you is left" in app.scene._words._text
    app.leave()


def test_kept_words_and_code_are_the_secret(portrait):
    keeping = Keeping("lark-27", "amber kite orchard")
    code = qr_picture(f"cheval:{keeping.profile_id}#{keeping.secret}")
    large = cv2.copyMakeBorder(
        np.kron(code, np.ones((8, 8, 1), np.uint8)), 32, 32, 32, 32, cv2.BORDER_CONSTANT, value=(255,) * 3
    )
    read, *_ = cv2.QRCodeDetector().detectAndDecode(large)
    assert read == "cheval:lark-27#amber kite orchard"


def test_the_loop_asks_advances_and_ends(portrait):
    session = told("attract")
    app = App(portrait, session, SCREENS)
    pictures = []
    app.run(frames=4, lockstep_fps=20, on_picture=pictures.append)
    assert len(pictures) == 4
    assert session.advanced == pytest.approx(0.2)
    session.snapshot = moment(Screen.CONSENT, 1)
    app.run(until=lambda snapshot: True)
    assert app.screen is Screen.CONSENT
    app.leave()


def test_the_room_sets_the_exposure():
    room = np.full((80, 80, 3), 222, np.uint8)
    assert exposure_of(room, None) == pytest.approx([1.0, 1.0, 1.0], abs=0.01)
    dim = exposure_of(np.full((80, 80, 3), (120, 110, 100), np.uint8), None)
    assert dim.mean() < 0.65
    assert dim[0] > dim[2]
    person = np.zeros((80, 80), np.uint8)
    room[:, :40], person[:, :40] = 0, 255
    assert exposure_of(room, person) == pytest.approx([1.0, 1.0, 1.0], abs=0.01)


def test_a_covering_picture_keeps_its_rays():
    k = Intrinsics(480, 848, 425.0, 425.0, 239.5, 423.5)
    for size, crop in (((540, 960), None), ((960, 540), None), ((540, 960), Crop(1.4, (0.4, 0.3), (0.5, 0.1)))):
        seen, (left, top, width, height) = covering(k, size, crop)
        assert 0 <= left <= left + width <= 1 + 1e-9
        assert 0 <= top <= top + height <= 1 + 1e-9
        # A point of the scene lands where the cut picture shows it.
        u, v = k.fx * 0.1 + k.cx, k.fy * -0.2 + k.cy
        x = ((u + 0.5) / k.width - left) / width * size[0] - 0.5
        y = ((v + 0.5) / k.height - top) / height * size[1] - 0.5
        assert seen.fx * 0.1 + seen.cx == pytest.approx(x)
        assert seen.fy * -0.2 + seen.cy == pytest.approx(y)


@pytest.mark.parametrize("name", ["consent", "scan", "reveal", "mirror", "mirror_glass"])
def test_golden_screens(portrait, name):
    app, picture = shown(portrait, told(name))
    assert_golden(f"screen_{name}", picture)
    app.leave()
