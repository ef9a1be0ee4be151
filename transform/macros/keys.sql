{% macro entity_key(provider, timing_partner_id, id) -%}
    {#- 'runsignup/1/900101': the same id under two partners is two records. Null where a part is null. -#}
    '{{ provider }}/' || {{ timing_partner_id }} || '/' || {{ id }}
    {%- for part in varargs %} || '/' || {{ part }}{% endfor -%}
{%- endmacro %}
