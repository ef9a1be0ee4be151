-- One row per person and timing partner.
set local enable_nestloop = off;
set local join_collapse_limit = 20;
set local from_collapse_limit = 20;
set local geqo = off;

create table participant_tracking as
with people as (
        select
            timing_partner_id,
            global_participant_id,
            event_key,
            source_provider
        from unified_participants
        where not is_removed
)
select
    people.timing_partner_id,
    max(partners.company_name) as timing_partner_name,
    people.global_participant_id,
    count(distinct people.event_key)::int as events_participated,
    array_agg(distinct people.source_provider) as providers_used
from people
left join hub.timing_partners as partners
    on people.timing_partner_id = partners.timing_partner_id
group by people.timing_partner_id, people.global_participant_id;
alter table participant_tracking add primary key (timing_partner_id, global_participant_id);
analyze participant_tracking;
