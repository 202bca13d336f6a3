-- one row per customer brought before :as_of, of whom brought them, and step that it is
select
    brought.referred_by as entity_id,
    brought.moment,
    brought.day,
    'referred' as kind,
    '' as event,
    '' as page,
    '' as feature,
    cast(null as string) as channel,
    steps.step
from (select distinct entity_id from first_traces) as known
inner join referrals_of_all as brought on known.entity_id = brought.referred_by
cross join funnel_steps as steps
where steps.kind = 'referred'
