-- one row per act before :as_of and step that it is; place: in the order of time, of one moment by the step it is first
with firsts as (
    select
        entity_id,
        moment,
        day,
        kind,
        event,
        page,
        feature,
        channel,
        step,
        min(step) over (partition by entity_id, moment, kind, event, page, feature) as first_step
    from funnel_acts
)

select
    entity_id,
    moment,
    day,
    channel,
    step,
    -- acts equal in all of this are one act, which cannot be two steps of a way
    cast(rank() over (
        partition by entity_id
        order by moment, first_step, kind, event, page, feature
    ) as int) as place
from firsts
