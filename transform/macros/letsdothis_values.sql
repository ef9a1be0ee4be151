{% macro english_country(name) -%}
    {#- Let's Do This writes countries by their English names; codes are taken as such, other names are not known. -#}
    case
        when {{ name }} ~ '^\s*[A-Za-z]{2}\s*$' then upper(trim({{ name }}))
        else
            case lower(trim({{ name }}))
                when 'united kingdom' then 'GB'
                when 'england' then 'GB'
                when 'scotland' then 'GB'
                when 'wales' then 'GB'
                when 'northern ireland' then 'GB'
                when 'united states' then 'US'
                when 'united states of america' then 'US'
                when 'ireland' then 'IE'
                when 'canada' then 'CA'
                when 'australia' then 'AU'
                when 'france' then 'FR'
                when 'germany' then 'DE'
                when 'spain' then 'ES'
                when 'italy' then 'IT'
                when 'netherlands' then 'NL'
            end
    end
{%- endmacro %}


{% macro minor_units(amount, currency) -%}
    {#- Pence to pounds. ISO 4217 has currencies without a minor unit, and some with thousandths. -#}
    case
        when {{ currency }} in ('JPY', 'KRW', 'VND', 'CLP', 'ISK', 'PYG', 'UGX', 'RWF', 'XAF', 'XOF', 'XPF')
            then {{ amount }}::numeric
        when {{ currency }} in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then round({{ amount }} / 1000.0, 3)
        else round({{ amount }} / 100.0, 2)
    end
{%- endmacro %}
