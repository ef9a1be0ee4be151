{% materialization due, adapter='postgres' %}
    {#-
        Keys of what is to be built again, as a small table with the statistics that the planner needs. Keys stay until
        what they led to is published: a build that was killed may have overwritten what told that a row is due.
    -#}
    {%- set target = this.incorporate(type='table') -%}
    {%- set keys = config.require('unique_key') -%}
    {%- set mark = published_mark() -%}
    {#- Then nothing reads it, and the candidates that it asks may not be there yet: left empty. -#}
    {%- set is_idle = flags.FULL_REFRESH or model.name in var('rebuild', []) or mark is none -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if config.get('looks_up') -%}{{ look_up() }}{%- endif -%}
    {%- call statement('main') -%}
        {%- if is_idle %}
            drop table if exists {{ target }};
        {%- endif %}
            create table if not exists {{ target }} (
                {%- for column in model.columns.values() %}
                {{ column.name }} {{ column.data_type }},
                {%- endfor %}
                primary key ({{ keys | join(', ') }})
            );
        {%- if not is_idle %}
            delete from {{ target }} where since_xid <> {{ mark }};
            insert into {{ target }} select {{ mark }}, keys.* from ({{ sql }}) as keys on conflict do nothing;
        {%- endif %}
            analyze {{ target }}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% materialization candidate, adapter='postgres' %}
    {#-
        A candidate table. By due keys it is merged into: rows that are the same are not written, and a row for which
        the config `gone_when` holds is taken out. Built whole, it is a new table, made as fast as plain SQL makes one
        (in parallel, key and indexes afterwards), that takes the old one's place in the same transaction.
    -#}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set keys = config.require('unique_key') -%}
    {%- set keys = [keys] if keys is string else keys -%}
    {%- set gone_when = config.get('gone_when') -%}
    {%- set merges = existing is not none and (takes_due() or config.get('always_merge')) -%}
    {%- if flags.FULL_REFRESH or model.name in var('rebuild', []) -%}{%- set merges = false -%}{%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if merges -%}
        {%- if config.get('looks_up') -%}{{ look_up() }}{%- endif -%}
        {%- call statement('main') -%}
            {{ merge_differences(target, sql, keys, gone_when) }}
        {%- endcall -%}
    {%- else -%}
        {%- set new = target.incorporate(path={'identifier': target.identifier ~ '__new'}) -%}
        {%- do get_assert_columns_equivalent(sql) -%}
        {#-
            Everything is joined with everything: hashed or sorted, never looked up row by row. The planner would where
            it takes a join over a key of four columns for one row.
        -#}
        {%- call statement('join_as_a_whole') -%} set local enable_nestloop = off {%- endcall -%}
        {%- call statement('main') -%}
            drop table if exists {{ new }};
            {#- Room in each page: a changed row stays beside its old version, and no index is written. -#}
            create table {{ new }} with (fillfactor = 90) as
            select {{ model.columns.keys() | join(', ') }} from ({{ sql }}) as new
            {%- if gone_when %} where not ({{ gone_when }}){% endif %};
            alter table {{ new }}
            {%- for column in model.columns.values() if column.constraints | selectattr('type', 'equalto', 'not_null') | list %}
                alter column {{ column.name }} set not null,
            {%- endfor %}
                add primary key ({{ keys | join(', ') }})
        {%- endcall -%}
        {%- call statement('take_its_place') -%}
            drop table if exists {{ target }} cascade;
            alter table {{ new }} rename to {{ target.identifier }};
            alter index {{ new.include(database=False, identifier=False) }}.{{ new.identifier }}_pkey
                rename to {{ target.identifier }}_pkey;
            {%- for index in config.get('indexes', []) %}
            create index {{ target.identifier }}_{{ index.name or index.columns | join('_') }}
                on {{ target }} ({{ index.columns | join(', ') }});
            {%- endfor %}
            analyze {{ target }}
        {%- endcall -%}
    {%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% macro look_up() -%}
    {#-
        For a statement of several steps from few due rows, of the later of which the planner knows nothing: it would read
        tables whole to be safe. Until the end of the transaction.
    -#}
    {%- call statement('look_up') -%}
        set local enable_seqscan = off;
        set local enable_hashjoin = off;
        set local enable_mergejoin = off
    {%- endcall -%}
{%- endmacro %}


{% macro merge_differences(target, sql, keys, gone_when) -%}
    {%- set columns = model.columns.keys() | list -%}
    {%- set facts = columns | reject('in', keys) | list -%}
    merge into {{ target }} as old
    using ({{ sql }}) as new
    on
    {%- for key in keys %}
        {{ 'and ' if not loop.first }}old.{{ key }} = new.{{ key }}
    {%- endfor %}
    {%- if gone_when %}
    when matched and ({{ gone_when }}) then delete
    when not matched and ({{ gone_when }}) then do nothing
    {%- endif %}
    when matched and (old.{{ facts | join(', old.') }}) is distinct from (new.{{ facts | join(', new.') }}) then
        update set
        {%- for fact in facts %}
            {{ fact }} = new.{{ fact }}{{ ',' if not loop.last }}
        {%- endfor %}
    when not matched then
        insert ({{ columns | join(', ') }})
        values (new.{{ columns | join(', new.') }})
{%- endmacro %}
