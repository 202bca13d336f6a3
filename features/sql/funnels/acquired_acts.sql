-- one row per customer first heard of before :as_of, and step that it is
select
    traces.entity_id,
    traces.moment,
    traces.day,
    'acquired' as kind,
    '' as event,
    '' as page,
    '' as feature,
    cast(null as string) as channel,
    steps.step
from first_traces as traces
cross join funnel_steps as steps
where steps.kind = 'acquired'
