-- one row per customer as of :as_of
with latest as (
    select
        entity_id,
        max(day) as last_day
    from acts
    group by entity_id
),

valued as (
    select
        entity_id,
        sum(amount) as amount
    from worth
    where day >= :w365
    group by entity_id
)

select
    groups.entity_id,
    groups.lifecycle_group,
    groups.lifecycle_group_week,
    groups.lifecycle_group_complete,
    case
        when latest.last_day < :w30 then 'ordinary'
        when valued.amount > 0 and valued.amount >= head.head_value then 'core'
        else 'active'
    end as concentration_group
from lifecycle_groups as groups
inner join latest on groups.entity_id = latest.entity_id
left join valued on groups.entity_id = valued.entity_id
cross join value_head as head
