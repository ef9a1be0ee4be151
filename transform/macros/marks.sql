{% macro published_mark() -%}
    {#-
        Asked for while the build runs and written into the statements as a number: of a subquery the planner knows
        nothing, and would read whole tables where it finds a few rows by the index. None before the first publish.
    -#}
    {%- set marks = source('hub', 'transform_marks') -%}
    {%- if execute -%}
        {%- set found = run_query("select changed_xid from " ~ marks ~ " where name = 'published'") -%}
        {{ return(found.columns[0].values()[0] if found.rows | length else none) }}
    {%- endif -%}
{%- endmacro %}


{% macro mark_literal() -%}
    {%- set mark = published_mark() -%}
    {{ mark if execute and mark is not none else 0 }}::bigint
{%- endmacro %}


{% macro takes_due() -%}
    {#- Whether this model is brought up to date by its due keys. Else it is built whole, from the views over everything. -#}
    {%- if execute -%}
        {{ return(
            not flags.FULL_REFRESH
            and model.name not in var('rebuild', [])
            and load_cached_relation(this) is not none
            and published_mark() is not none
        ) }}
    {%- endif -%}
{%- endmacro %}


{% macro seen_until() -%}
    {#- What was committed before this build began, every model of it has seen. Later rows belong to the next build. -#}
    (select coalesce(max(marks.pending_xid), max(marks.changed_xid), {{ 2 ** 63 - 1 }}) from {{ source('hub', 'transform_marks') }} as marks where marks.name = 'published')
{%- endmacro %}
