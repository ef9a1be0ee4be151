{#- Countries and phone numbers: read by seeds that scripts/make_seeds.py makes from others' libraries. -#}

{% macro country_code(text) -%}
    {#-
        The ISO 3166 alpha-2 code of a country by any code or name of it: US, USA, 840, GER (the Olympic Committee's),
        España. One look into the seed's index for each row.
    -#}
    (
        select codes.country_alpha_2
        from {{ ref('country_codes') }} as codes
        where codes.country_as_written = upper(replace(trim({{ text }}), '.', ''))
    )
{%- endmacro %}


{% macro phone_e164(phone, country) -%}
    {#-
        The number as the whole world dials it (+16095550147), of a text as people write it, and the alpha-2 code of the
        country that it is dialled in. Null where it is not a number there; without a country only those with a plus in
        front can be read. What it means for a number to be one: the general pattern and length of libphonenumber, whose
        steps these are (phonenumberutil.parse); that the area code has been given out is not asked.

        All regions are one jsonb, made once in a statement where the first number asks for it: rows are not joined.
        Innermost, a number as nearly all are sent, which needs one pattern; the steps follow only where it is none.
    -#}
    {%- set number = "translate(sent.phone, ' -.()', '')" -%}
    {%- set regions -%}
        (
            select jsonb_object_agg(keys.name, to_jsonb(regions.*))
            from {{ ref('phone_regions') }} as regions
            cross join lateral (
                values (regions.region), (case when regions.region = regions.main_region then regions.calling_code end)
            ) as keys (name)
            where keys.name is not null
        )
    {%- endset -%}
    (
        select
            case
                when {{ number }} ~ (sent.region ->> 'as_dialled')
                    then
                        '+' || (sent.region ->> 'calling_code')
                        || case
                            when starts_with({{ number }}, sent.region ->> 'inland_digits')
                                then substr({{ number }}, length(sent.region ->> 'inland_digits') + 1)
                            else {{ number }}
                        end
                when sent.phone is not null then {{ phone_by_steps() }}
            end
        from (
            select
                {{ phone }} as phone,
                regions.of_all -> {{ country }} as region,
                regions.of_all
            from (select {{ regions }} as of_all) as regions
            offset 0
        ) as sent
    )
{%- endmacro %}


{% macro phone_by_steps() -%}
    {#- The steps of phonenumberutil.parse, for a row `sent`; each is reckoned once (offset 0). -#}
    (
        select
            case
                -- Or where the regions that share the code have it: an American in Jamaica writes no plus either.
                when
                    stripped.digits ~ (stripped.region ->> 'number_pattern')
                    or stripped.digits ~ (
                        stripped.of_all -> (stripped.region ->> 'calling_code') ->> 'number_pattern'
                    )
                    then '+' || (stripped.region ->> 'calling_code') || stripped.digits
            end
        from (
            -- The prefix that is dialled inland only, where what is left is a number.
            select
                known.of_all,
                known.region,
                {{ without_inland_prefix('known.digits', 'known.region') }} as digits
            from (
                -- A number that begins with the country's own code, without the plus.
                select
                    own.of_all,
                    case when own.is_with_code then own.of_all -> (own.region ->> 'calling_code') else own.region end
                        as region,
                    case when own.is_with_code then own.without_code else own.digits end as digits
                from (
                    select
                        placed.*,
                        not placed.is_abroad
                        and starts_with(placed.digits, placed.region ->> 'calling_code')
                        and (
                            length(placed.digits) > (placed.region ->> 'longest')::int
                            or (
                                placed.digits !~ (placed.region ->> 'number_pattern')
                                and placed.without_code ~ (placed.region ->> 'number_pattern')
                            )
                        ) as is_with_code
                    from (
                        select
                            coded.of_all,
                            coded.region,
                            coded.is_abroad,
                            case
                                when coded.is_abroad then substr(coded.digits, length(coded.region ->> 'calling_code') + 1)
                                else coded.digits
                            end as digits,
                            case
                                when
                                    not coded.is_abroad
                                    and starts_with(coded.digits, coded.region ->> 'calling_code')
                                    then {{ without_inland_prefix(
                                        "substr(coded.digits, length(coded.region ->> 'calling_code') + 1)",
                                        'coded.region'
                                    ) }}
                            end as without_code
                        from (
                            -- No code of a country begins another.
                            select
                                dialled.of_all,
                                dialled.is_abroad,
                                dialled.digits,
                                case
                                    when dialled.is_abroad
                                        then coalesce(
                                            dialled.of_all -> left(dialled.digits, 1),
                                            dialled.of_all -> left(dialled.digits, 2),
                                            dialled.of_all -> left(dialled.digits, 3)
                                        )
                                    else dialled.region
                                end as region
                            from (
                                select
                                    written.of_all,
                                    written.region,
                                    starts_with(written.number, '+')
                                    or coalesce(written.number ~ (written.region ->> 'prefix_abroad'), false)
                                        as is_abroad,
                                    case
                                        when starts_with(written.number, '+') then substr(written.number, 2)
                                        else regexp_replace(
                                            written.number, coalesce(written.region ->> 'prefix_abroad', '^'), ''
                                        )
                                    end as digits
                                from (
                                    select
                                        sent.of_all,
                                        sent.region,
                                        regexp_replace(
                                            -- An extension behind it is not part of the number.
                                            regexp_replace(
                                                normalize(sent.phone, nfkc),
                                                '[\s,;]*(x|ext\.?|extension|#|;ext=)[\s.:]*[0-9]{1,7}\s*$',
                                                '',
                                                'i'
                                            ),
                                            -- And what people put between digits; a plus before 00 is one too many.
                                            '[\s()\[\]./~\u00ad\u2010-\u2015\u2212\u200b\u2060-]+|[+](?=\s*00)',
                                            '',
                                            'g'
                                        ) as number
                                    limit 1
                                ) as written
                                where written.number ~ '^[+]?[0-9]{4,18}$'
                                offset 0
                            ) as dialled
                            offset 0
                        ) as coded
                        offset 0
                    ) as placed
                    offset 0
                ) as own
                offset 0
            ) as known
            offset 0
        ) as stripped
    )
{%- endmacro %}


{% macro without_inland_prefix(digits, region) -%}
    {#- A prefix can hold a carrier's code, or become the beginning of the number (in Argentina 15 in it is a 9 before it). -#}
    {%- set shorter -%}
        regexp_replace(
            {{ digits }},
            {{ region }} ->> 'prefix_inland',
            case
                when (regexp_match({{ digits }}, {{ region }} ->> 'prefix_inland'))[
                    array_length(regexp_match({{ digits }}, {{ region }} ->> 'prefix_inland'), 1)
                ] is not null
                    then coalesce({{ region }} ->> 'prefix_becomes', '')
                else ''
            end
        )
    {%- endset -%}
    case
        when {{ region }} ->> 'prefix_inland' is null or {{ digits }} !~ ({{ region }} ->> 'prefix_inland') then {{ digits }}
        when
            {{ digits }} ~ ({{ region }} ->> 'number_pattern')
            and {{ shorter }} !~ ({{ region }} ->> 'number_pattern')
            then {{ digits }}
        else {{ shorter }}
    end
{%- endmacro %}
