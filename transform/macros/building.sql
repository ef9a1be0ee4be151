{% macro built(columns, everything, due) -%}
    {#-
        The rows of a mart. Whole: the view over everything. By due keys: of each provider's rows those whose key is
        due. `due` is a list of [rows, due keys, columns of the key]; the columns are named alike on both sides and are
        the raw table's own, so that its primary key finds the rows.
    -#}
    {%- if takes_due() -%}
        {%- for rows, keys, names in due %}
select {{ taken(columns) }}
from {{ rows }} as built
            {%- if keys %}
inner join {{ keys }} as due
    on
                {%- for name in names %}
        {{ 'and ' if not loop.first }}built.{{ name }} = due.{{ name }}
                {%- endfor %}
            {%- endif %}
{{ 'union all' if not loop.last }}
        {%- endfor %}
    {%- else -%}
select {{ taken(columns) }}
from {{ everything }} as built
    {%- endif %}
{%- endmacro %}


{% macro taken(columns) -%}
    {%- for column in columns -%}
        {#- Raw tables hold the partner as bigint, which their keys need; what is read by consumers never did. -#}
        built.{{ column }}{{ '::int as timing_partner_id' if column == 'timing_partner_id' }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{% macro number_in(text) -%}
    {#- A key as number. What is none was no key of ours, and a cast of it would stop everybody's build. -#}
    case when {{ text }} ~ '^-?\d{1,18}$' then {{ text }}::bigint end
{%- endmacro %}


{% macro provisional_person_id(timing_partner_id, participant_key) -%}
    {#-
        Who a record is until the registry has said it: a person of its own, under the id that the registry gives to one
        whose first record this is (project88.persons.matching.mint). The partner is part of what is hashed, and nothing
        of what the record says: two partners cannot find out that they know the same person.
    -#}
    md5('person|' || {{ timing_partner_id }} || '|' || {{ participant_key }})
{%- endmacro %}


{% macro prepare_before() -%}
    {#-
        What was before it is written, kept until what follows from it is built: persons of entries for
        participant_tracking; bibs of entries and days of events for entry_links. And results of which `who is who` says
        that their person is to be looked up again.
    -#}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        create schema if not exists due;
        create table if not exists due.people_before (
            timing_partner_id integer not null,
            global_participant_id text not null,
            primary key (timing_partner_id, global_participant_id)
        );
        create table if not exists due.bibs_before (
            event_key text not null,
            bib_number text not null,
            primary key (event_key, bib_number)
        );
        create table if not exists due.days_before (
            event_key text not null,
            timing_partner_id integer not null,
            event_date date not null,
            primary key (event_key, timing_partner_id, event_date)
        );
        create table if not exists due.results_without_entry (result_key text primary key)
    {%- endif -%}
{%- endmacro %}


{% macro rows_before(rows, key, due) -%}
    {#-
        Due rows of a candidate relation as the last build left them. `due` is a list of [provider, due keys, columns of
        the id]; an id of several columns has commas between them.
    -#}
    {%- for provider, keys, id in due %}
        select before.*
        from {{ keys }} as due
        inner join {{ rows }} as before
            on {{ entity_key(provider, 'due.timing_partner_id', 'due.' ~ id | replace(', ', " || '/' || due.")) }}
                = before.{{ key }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{% macro note_entries_before(participants, due) -%}
    {#-
        Who the due entries belong to before they are written, and their bibs: their person may lose them, and who wears
        the same bib may be the only one again. Noted in the transaction that writes the entries and forgotten in the one
        that brings participant_tracking or entry_links up to date, so that a build killed in between forgets nobody.
    -#}
    {%- if takes_due() -%}
        insert into due.people_before (timing_partner_id, global_participant_id)
        select entries.timing_partner_id, entries.global_participant_id
        from ({{ rows_before(participants, 'participant_key', due) }}) as entries
        on conflict do nothing;
        insert into due.bibs_before (event_key, bib_number)
        select entries.event_key, entries.bib_number
        from ({{ rows_before(participants, 'participant_key', due) }}) as entries
        where entries.bib_number is not null
        on conflict do nothing
    {%- endif -%}
{%- endmacro %}


{% macro note_events_before(events, due) -%}
    {#- The day that due events were on before they are written: note_entries_before says why and for how long. -#}
    {%- if takes_due() -%}
        insert into due.days_before (event_key, timing_partner_id, event_date)
        select events.event_key, events.timing_partner_id, events.event_date
        from ({{ rows_before(events, 'event_key', due) }}) as events
        where events.event_date is not null
        on conflict do nothing
    {%- endif -%}
{%- endmacro %}


{% macro renamed_partners() -%}
    {#-
        As numbers in the statement: joined to the partners, all their persons would be read to find that none is due.
        One row of a partner tells, since all of them are written together; the order makes the key's index find it.
    -#}
    {%- set partners, people = source('hub', 'timing_partners'), source('candidate', 'participant_tracking') -%}
    {%- if execute and load_relation(people) is not none -%}
        {%- set found = run_query(
            "select partners.timing_partner_id from " ~ partners ~ " as partners cross join lateral"
            ~ " (select timing_partner_name from " ~ people ~ " as people"
            ~ " where people.timing_partner_id = partners.timing_partner_id"
            ~ " order by people.global_participant_id limit 1) as written"
            ~ " where written.timing_partner_name is distinct from partners.company_name"
        ) -%}
        {{ found.columns[0].values() | join(', ') or 'null' }}
    {%- else -%}
        null
    {%- endif -%}
{%- endmacro %}
