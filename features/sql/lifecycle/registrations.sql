-- one row per period of registration and period of the first act, of customers registered before :as_of
with registered as (
    select
        users.entity_id,
        day_number(coalesce(users.registered_local_at, users.local_at)) as day
    from users
),

firsts as (
    select
        entity_id,
        min(period) as first_period
    from active_periods
    group by entity_id
)

select
    case when :weekly then calendar.week else calendar.month end as registered_period,
    firsts.first_period,
    count(*) as users
from registered
inner join calendar on registered.day = calendar.day
left join firsts on registered.entity_id = firsts.entity_id
where registered.day < :as_of
group by case when :weekly then calendar.week else calendar.month end, firsts.first_period
