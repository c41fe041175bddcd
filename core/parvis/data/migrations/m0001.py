"""The first schema of the core: people, spaces, the content spine, files, audit, settings and plugin states."""

from __future__ import annotations

from parvis.data.migrations import (
    Schema,
    bigint,
    boolean,
    double,
    integer,
    json,
    pk,
    ref,
    text,
    timestamptz,
)


async def forwards(schema: Schema) -> None:
    """Create every core table; rows that every instance has are added at the end."""
    await people(schema)
    await spaces(schema)
    await audiences(schema)
    await content(schema)
    await files(schema)
    await services(schema)
    await schema.execute("insert into audience (kind, key, space) values ('everyone', 'everyone', null)")
    for name in ("plugins", "settings", "cards", "standing"):
        await schema.execute(f"insert into site_counter (name, value) values ('{name}', 1)")  # noqa: S608
    # What a reader may see follows from these; whoever writes them, what was kept about readers ends.
    for table in ("space", "space_member", "member_group_member", "audience", "audience_part"):
        await schema.count_changes(table, "standing")


async def people(schema: Schema) -> None:
    """Create members, their sessions, links, groups and former handles."""
    await schema.create_table(
        "member",
        pk(),
        text("email", unique=True),
        text("handle", unique=True),
        text("name"),
        text("sort_name", default=""),
        text("role", default="member"),
        text("state", default="active"),
        text("password_hash", null=True),
        text("language", null=True),
        text("time_zone", null=True),
        text("theme", default="auto"),
        boolean("shortcuts", default=True),
        text("job", default=""),
        text("team", default=""),
        text("site", default=""),
        text("phone", default=""),
        text("pronouns", default=""),
        text("about", default=""),
        json("skills", default="[]"),
        text("search", default=""),
        ref("member", column="manager", null=True),
        bigint("picture", null=True),
        integer("version", default=1),
        timestamptz("created"),
        timestamptz("joined"),
        timestamptz("last_seen", null=True),
    )
    await schema.create_index("member_sort", "member", ["sort_name", "id"])
    await schema.create_index("member_joined", "member", ["joined DESC", "id DESC"])
    await schema.create_table(
        "session",
        pk(),
        text("token_hash", unique=True),
        ref("member"),
        text("secret"),
        text("user_agent", default=""),
        text("address", default=""),
        timestamptz("created"),
        timestamptz("seen"),
        timestamptz("expires"),
    )
    await schema.create_index("session_member", "session", ["member"])
    await schema.create_table(
        "sign_in_link",
        pk(),
        text("token_hash", unique=True),
        ref("member"),
        timestamptz("created"),
        timestamptz("expires"),
        timestamptz("used", null=True),
    )
    await schema.create_table(
        "member_group",
        pk(),
        text("slug", unique=True),
        text("name"),
        text("description", default=""),
        timestamptz("created"),
    )
    await schema.create_table(
        "member_group_member",
        pk(),
        ref("member_group", column="group"),
        ref("member"),
        unique=[("group", "member")],
    )
    await schema.create_index("member_group_member_member", "member_group_member", ["member"])


async def spaces(schema: Schema) -> None:
    """Create spaces, their members and former addresses."""
    await schema.create_table(
        "space",
        pk(),
        text("slug", unique=True),
        text("name"),
        text("description", default=""),
        text("kind", default="open"),
        text("icon", default="users"),
        text("hue", default="pine"),
        bigint("cover", null=True),
        ref("member", column="created_by", null=True),
        integer("members_count", default=0),
        integer("version", default=1),
        timestamptz("created"),
    )
    await schema.create_table(
        "space_member",
        pk(),
        ref("space"),
        ref("member"),
        text("role", default="member"),
        timestamptz("joined"),
        unique=[("space", "member")],
    )
    await schema.create_index("space_member_member", "space_member", ["member", "space"])
    await schema.create_table(
        "slug_history",
        pk(),
        text("kind"),
        text("slug"),
        bigint("subject"),
        timestamptz("since"),
        unique=[("kind", "slug")],
    )


async def audiences(schema: Schema) -> None:
    """Create audiences: who may read."""
    await schema.create_table(
        "audience",
        pk(),
        text("kind"),
        text("key", unique=True),
        ref("space", null=True),
    )
    await schema.create_index("audience_space", "audience", ["space"])
    await schema.create_table(
        "audience_part",
        pk(),
        ref("audience"),
        text("kind"),
        bigint("subject"),
        unique=[("kind", "subject", "audience")],
    )


async def content(schema: Schema) -> None:
    """Create the spine: contents, their versions and counters."""
    await schema.create_table(
        "content",
        pk(),
        text("type"),
        bigint("object", null=True),
        ref("content", column="root", null=True),
        ref("space", null=True),
        ref("member", column="author"),
        ref("audience"),
        text("title", default=""),
        text("state", default="published"),
        boolean("listed", default=True),
        integer("version", default=1),
        integer("touched", default=0),
        text("key", null=True),
        text("language", default=""),
        text("reason", default=""),
        timestamptz("pinned", null=True),
        timestamptz("created"),
        timestamptz("published", null=True),
        timestamptz("edited", null=True),
        timestamptz("last_activity"),
        timestamptz("removed_at", null=True),
        ref("member", column="removed_by", null=True),
    )
    # The three lists people read are walked in the order of their index: no scan, no sort.
    shown = "root IS NULL AND listed AND state = 'published'"
    order = ["published DESC", "id DESC"]
    await schema.create_index("content_feed", "content", [*order, "audience", "type"], where=shown)
    await schema.create_index("content_space", "content", ["space", *order, "audience"], where=shown)
    await schema.create_index("content_author", "content", ["author", *order, "audience"], where=shown)
    await schema.create_index("content_type", "content", ["type", *order, "audience"], where=shown)
    await schema.create_index(
        "content_root", "content", ["root", "published", "id"], where="root IS NOT NULL"
    )
    await schema.create_index("content_object", "content", ["type", "object"])
    await schema.create_index(
        "content_pinned", "content", ["space", "pinned DESC"], where="pinned IS NOT NULL"
    )
    await schema.create_index(
        "content_pinned_home", "content", ["pinned DESC"], where="pinned IS NOT NULL AND space IS NULL"
    )
    await schema.create_index(
        "content_waiting", "content", ["state", "last_activity"], where="state <> 'published'"
    )
    await schema.create_index(
        "content_key", "content", ["author", "key"], unique=True, where="key IS NOT NULL"
    )
    await schema.create_table(
        "content_version",
        pk(),
        ref("content"),
        integer("version"),
        text("title", default=""),
        text("source"),
        ref("member", column="editor", null=True),
        timestamptz("at"),
        unique=[("content", "version")],
    )
    await schema.create_table(
        "content_counter",
        pk(),
        ref("content"),
        text("name"),
        bigint("value", default=0),
        unique=[("content", "name")],
    )


async def files(schema: Schema) -> None:
    """Create files and what is stored for each owner."""
    await schema.create_table(
        "file",
        pk(),
        text("name"),
        text("type"),
        text("kind", default="file"),
        bigint("size"),
        text("hash"),
        text("plugin", default="core"),
        integer("width", null=True),
        integer("height", null=True),
        text("alt", default=""),
        json("variants", default="{}"),
        ref("member", column="owner"),
        ref("content", null=True),
        ref("space", null=True),
        ref("member", null=True),
        integer("position", default=0),
        timestamptz("created"),
    )
    await schema.create_index("file_content", "file", ["content", "position", "id"])
    await schema.create_index("file_hash", "file", ["hash"])
    await schema.create_index("file_owner", "file", ["owner", "created"])
    await schema.create_table(
        "quota",
        pk(),
        text("scope"),
        text("subject"),
        bigint("bytes", default=0),
        unique=[("scope", "subject")],
    )


async def services(schema: Schema) -> None:
    """Create audit, settings, limits, counters and plugin states."""
    await schema.create_table(
        "audit",
        pk("seq"),
        timestamptz("at"),
        text("action"),
        bigint("actor", null=True),
        text("subject", default=""),
        text("digest"),
        text("hash"),
    )
    await schema.create_index("audit_subject", "audit", ["subject", "seq"])
    await schema.create_table(
        "audit_detail",
        pk(),
        bigint("seq", unique=True),
        json("details", null=True),
    )
    await schema.create_table(
        "rate_limit",
        pk(),
        text("key", unique=True),
        double("arrival"),
    )
    await schema.create_index("rate_limit_arrival", "rate_limit", ["arrival"])
    await schema.create_table(
        "setting",
        pk(),
        text("scope"),
        bigint("subject", default=0),
        text("name"),
        json("value"),
        unique=[("scope", "subject", "name")],
    )
    await schema.create_table("site_counter", pk(), text("name", unique=True), bigint("value", default=1))
    await schema.create_table(
        "plugin",
        pk(),
        text("name", unique=True),
        text("state", default="installed"),
        text("version", default=""),
        text("reason", default=""),
        json("tables", default="[]"),
        json("guards", default="[]"),
        timestamptz("changed"),
    )
