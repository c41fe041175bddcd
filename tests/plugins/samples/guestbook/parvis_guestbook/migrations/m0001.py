from parvis.data.migrations import pk, text


async def forwards(schema):
    await schema.create_table("guestbook_entry", pk(), text("text"))
    await schema.execute("insert into guestbook_entry (text) values ('Hello'), ('Good day')")
