{% macro changed_since() -%}
    {#-
        Read while the query runs, so that the mark and the rows come from one snapshot. The source is named outside
        the condition: dbt learns what a model depends on while parsing, when nothing is incremental yet.
    -#}
    {%- set marks = source('hub', 'transform_marks') -%}
    {%- if is_incremental() -%}
        (select coalesce(max(marks.changed_xid), 0) from {{ marks }} as marks where marks.name = 'published')
    {%- else -%}
        0
    {%- endif -%}
{%- endmacro %}


{% macro seen_until() -%}
    {#- What was committed before this build began, every model of it has seen. Later rows belong to the next build. -#}
    (select coalesce(max(marks.pending_xid), max(marks.changed_xid), {{ 2 ** 63 - 1 }}) from {{ source('hub', 'transform_marks') }} as marks where marks.name = 'published')
{%- endmacro %}


{% macro note_pending_mark() -%}
    {#-
        Runs before any model reads. A transaction still open then may commit later under a smaller number than one
        already seen: hence the oldest number still in progress, not the newest.
        Only a build of every incremental table may move the mark. Had `dbt test`, or a run of one model, moved it
        before the publish, the rows that came in between would never be built.
    -#}
    {%- if execute and flags.WHICH in ('run', 'build') and builds_every_mart() -%}
        insert into hub.transform_marks as marks (name, pending_xid, at)
        values ('published', pg_snapshot_xmin(pg_current_snapshot())::text::bigint, now())
        on conflict (name) do update set pending_xid = excluded.pending_xid, at = excluded.at
    {%- endif -%}
{%- endmacro %}


{% macro builds_every_mart() -%}
    {%- set left_out = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.materialized == 'incremental' -%}
        {%- if node.unique_id not in selected_resources -%}{%- do left_out.append(node.unique_id) -%}{%- endif -%}
    {%- endfor -%}
    {{ return(left_out | length == 0) }}
{%- endmacro %}
