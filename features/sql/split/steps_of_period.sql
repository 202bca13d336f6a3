-- one row per step into :period and answer to a rule at its end and at the end before, counted before :as_of
with states as (
    select
        entity_id,
        case
            when period = :period then active_group
            when :period - period < :lapsed_after then 'dormant'
            else 'lapsed'
        end as group_after,
        case
            when period = :period then group_before
            when period = :period - 1 then active_group
            when :period - 1 - period < :lapsed_after then 'dormant'
            else 'lapsed'
        end as group_before
    from everybody_active
    where period <= :period and coalesce(next_period, :period + 1) > :period
)

select
    states.group_before,
    states.group_after,
    case when earlier.id is null then 0 else 1 end as was_chosen,
    case when later.id is null then 0 else 1 end as is_chosen,
    count(*) as users
from states
left join chosen_before as earlier on states.entity_id = earlier.id
left join chosen_now as later on states.entity_id = later.id
group by
    states.group_before,
    states.group_after,
    case when earlier.id is null then 0 else 1 end,
    case when later.id is null then 0 else 1 end
