{#- How the texts that providers send are read. What cannot be read is null, and `unreadable` names it. -#}

{% macro filled(text) -%}
    nullif(trim({{ text }}), '')
{%- endmacro %}


{% macro person_name(text) -%}
    {#- Whitespace of every kind (a copied no-break space, a tab) becomes one space; letters stay as sent. -#}
    nullif(trim(regexp_replace({{ text }}, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '')
{%- endmacro %}


{% macro dollars(text) -%}
    case
        when {{ text }} ~ '^ *(- *\$?|\$ *-?)? *(\d{1,3}(,\d{3})+|\d+)(\.\d+)? *$'
            then translate({{ text }}, '$, ', '')::numeric
    end
{%- endmacro %}


{% macro race_seconds(text) -%}
    {#- '1:02:03.4' and '59:12'. Never through `interval`, which reads '59:12' as hours and minutes. -#}
    case
        when {{ text }} ~ '^\s*\d{1,3}:[0-5]\d:[0-5]\d(\.\d+)?\s*$'
            then
                split_part({{ text }}, ':', 1)::numeric * 3600
                + split_part({{ text }}, ':', 2)::numeric * 60
                + split_part({{ text }}, ':', 3)::numeric
        when {{ text }} ~ '^\s*\d{1,3}:[0-5]\d(\.\d+)?\s*$'
            then split_part({{ text }}, ':', 1)::numeric * 60 + split_part({{ text }}, ':', 2)::numeric
    end
{%- endmacro %}


{% macro race_status(text) -%}
    {#- Timers write these words where a time would stand. DNQ (did not qualify) is the officials' ruling, as DQ is. -#}
    case upper(trim({{ text }}))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end
{%- endmacro %}


{% macro gender_code(text) -%}
    case upper(trim({{ text }}))
        when 'F' then 'F'
        when 'FEMALE' then 'F'
        when 'W' then 'F'
        when 'M' then 'M'
        when 'MALE' then 'M'
        when 'X' then 'X'
        when 'NB' then 'X'
        when 'NON-BINARY' then 'X'
        when 'NONBINARY' then 'X'
        when 'U' then 'U'
        when 'UNDISCLOSED' then 'U'
        when 'PREFER NOT TO SAY' then 'U'
    end
{%- endmacro %}


{% macro metres(text) -%}
    {#-
        The whole text must be a distance: '5K Fun Run' names a race and is not read. A capital M is miles and a small
        one metres, as RunSignUp's own units have it.
    -#}
    case
        when {{ text }} ~* '^\s*(full\s+)?marathon\s*$' then 42195
        when {{ text }} ~* '^\s*(half[\s-]*marathon|1/2\s+marathon|half)\s*$' then 21097.5
        when {{ text }} ~* '^\s*\d{1,6}(\.\d+)?\s*(k|km|kms|kilomet(er|re)s?)\s*$'
            then trim_scale(substring({{ text }} from '\d+\.?\d*')::numeric * 1000)
        when {{ text }} ~* '^\s*\d{1,6}(\.\d+)?\s*(mi|mile|miles)\s*$' or {{ text }} ~ '^\s*\d{1,6}(\.\d+)?\s*M\s*$'
            then trim_scale(substring({{ text }} from '\d+\.?\d*')::numeric * 1609.344)
        when {{ text }} ~* '^\s*\d{1,6}(\.\d+)?\s*(y|yd|yds|yards?)\s*$'
            then trim_scale(substring({{ text }} from '\d+\.?\d*')::numeric * 0.9144)
        when {{ text }} ~* '^\s*\d{1,6}(\.\d+)?\s*(met(er|re)s?)\s*$' or {{ text }} ~ '^\s*\d{1,6}(\.\d+)?\s*m\s*$'
            then substring({{ text }} from '\d+\.?\d*')::numeric
    end
{%- endmacro %}


{% macro known_zone(zone) -%}
    {#- `at time zone` raises for a name that the server does not know: one such event would stop every build. -#}
    case when {{ zone }} in (select zones.name from pg_catalog.pg_timezone_names as zones) then {{ zone }} end
{%- endmacro %}


{% macro local_date(instant, zone) -%}
    ({{ instant }} at time zone {{ zone }})::date
{%- endmacro %}


{% macro age_on(day, birth_date) -%}
    {#- Null where the birth date cannot be right: a birthday still to come, or the 1900-01-01 of an empty form. -#}
    case
        when {{ birth_date }} <= {{ day }} and {{ birth_date }} > {{ day }} - interval '116 years'
            then extract(year from age({{ day }}, {{ birth_date }}))::int
    end
{%- endmacro %}


{% macro unreadable(fields) -%}
    {#-
        The provider's names of what was sent and could not be read; null where there is none.
        `fields` is a list of [provider's name, as sent, as read].
    -#}
    nullif(
        array_remove(
            array[
                {%- for name, as_sent, as_read in fields %}
                case when {{ as_sent }} is not null and {{ as_read }} is null then '{{ name }}' end
                {{- ',' if not loop.last }}
                {%- endfor %}
            ]::text[],
            null
        ),
        '{}'
    )
{%- endmacro %}


{% macro small_number(number) -%}
    {#- A cast of a number out of range would stop the build of everybody's rows. -#}
    case when {{ number }} between -2147483648 and 2147483647 then {{ number }}::int end
{%- endmacro %}


{% macro unreadable_also(fields, name, condition) -%}
    {#- Adds one more name to a list made by `unreadable` where the condition holds. -#}
    nullif(array_remove(array_append({{ fields }}, case when {{ condition }} then '{{ name }}' end), null), '{}')
{%- endmacro %}


{% macro is_taken_back(status) -%}
    {#- Whether an entry of this status stands no longer. Who was disqualified or did not start had one that did. -#}
    coalesce(
        {{ status }} in ('cancelled', 'deferred', 'refunded', 'removed', 'transferred', 'withdrawn'), false
    )
{%- endmacro %}
